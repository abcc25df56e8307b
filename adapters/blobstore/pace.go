package blobstore

const (
	// gain is how much faster a reading with more parts must be, and how much slower one with
	// fewer parts may be. Measured rates are not more precise than that.
	gain = 1.05
	// shortRest and longRest bound how many bytes are read between two probes. The number grows
	// with each probe that fails.
	shortRest = 512 << 20
	longRest  = 8 << 30
)

// paces are the numbers of parts that are tried. A probe that doubles the number stands out
// from noise, and three steps reach the largest.
var paces = [...]int{0, 3, 7, wide - 1}

// pace decides how many parts of an object are read ahead, from samples of how fast the reading
// is. It probes with more parts while the reader has to wait and with fewer while it does not,
// and returns to the former number if that was better. No parts are best where the reader is
// the bottleneck, as each part costs a copy. The zero value has no parts.
type pace struct {
	level  int     // in paces
	from   int     // level before the probe
	before float64 // rate at that level; 0: there is no probe
	rest   int64   // bytes until the next probe
	pause  int64   // rest after the last failed probe
	vain   bool    // the last probe tried more parts and failed
}

// want returns how many parts there should be besides the part that is read.
func (p *pace) want() int { return paces[p.level] }

// judge takes a sample: how many bytes came since the last one, at what rate, and whether the
// reader waited most of the time.
func (p *pace) judge(read int64, rate float64, hungry bool) {
	if p.before > 0 {
		up, before := p.level > p.from, p.before
		p.before = 0
		if up && rate < gain*before || !up && gain*rate < before {
			p.level, p.vain = p.from, up
			p.pause = min(max(2*p.pause, shortRest), longRest)
			p.rest = p.pause
			return
		}
		p.pause, p.vain = 0, false
		if up != hungry {
			p.rest = shortRest // the number of parts is right
			return
		}
	} else if p.rest -= read; p.rest > 0 {
		return
	}
	level := p.level
	switch {
	case hungry && !p.vain:
		level = min(level+1, len(paces)-1)
	default:
		level = max(level-1, 0)
	}
	p.vain = false
	if level != p.level {
		p.from, p.before, p.level = p.level, rate, level
	}
}

// postpone records that no parts can be had until that many bytes are read. This says nothing
// about how fast the reading is with parts, which is what pause depends on.
func (p *pace) postpone(rest int64) { *p = pace{rest: rest, pause: p.pause} }
