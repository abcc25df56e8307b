package blobstore

const (
	// gain is how much faster it must be with more parts, and how much slower it may
	// be with fewer: measured rates are not better than that.
	gain = 1.05
	// shortRest and longRest bound how many bytes are read between two probes. The
	// more of them were in vain, the more.
	shortRest = 512 << 20
	longRest  = 8 << 30
)

// paces are the numbers of parts that are tried: a probe that doubles the number is
// told from noise, and three reach all that there is.
var paces = [...]int{0, 3, 7, wide - 1}

// pace decides how many parts of an object are read ahead, from samples of how fast
// the reading is: it probes with more while whoever reads has to wait, and with fewer
// while not, and goes back to what it had if that was better. None is best where the
// reader is the bottleneck, as a part is copied once more. The zero value has none.
type pace struct {
	level  int     // in paces
	from   int     // level before the probe
	before float64 // rate there; 0: there is no probe
	rest   int64   // bytes until the next one
	pause  int64   // what rest was after the last failure
	vain   bool    // the last probe was one with more, and failed
}

// want returns how many parts there are to be beside the one that is read.
func (p *pace) want() int { return paces[p.level] }

// judge is told how many bytes came since the last time, at what rate, and whether
// whoever reads them waited most of the time.
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
			p.rest = shortRest // it is as it should be
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

// postpone takes parts for something that cannot be had until so many bytes are read.
// That says nothing about how fast the reading is with them, which pause goes by.
func (p *pace) postpone(rest int64) { *p = pace{rest: rest, pause: p.pause} }
