package output

import (
	"time"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Pass says what the rows are about.
type Pass struct {
	Command sweep.Command
	Name    string   // of the pass, if it has one
	Buckets []string // as events name them
	Options sweep.Options
	List    string // what the content is compared with, if not with records; without secrets
	Version string // of the program
	Begun   time.Time

	Strict       bool // what else is only noted, such as new and archived objects, is a fault, too
	AllowMissing bool // a manifest may lack objects that have no record
}

// The exit statuses of a pass.
const (
	StatusOK        = 0
	StatusFailed    = 1 // something is not as it should be
	StatusUnchecked = 2 // something could not be checked
)

// Status returns the exit status of a pass. Verify tells what is wrong (1) from what could not be checked
// (2); what is wrong counts more. Of the other commands, an object that could not be read is a failure, because
// it has no record, or is not in the manifest.
func (p Pass) Status(t sweep.Totals, complete bool) int {
	worst := fine
	if !complete {
		worst = unchecked
	}
	for state, n := range t.Objects {
		if n > 0 {
			worst = max(worst, p.weigh(state))
		}
	}
	switch {
	case worst == failed, !complete && p.Command != sweep.Verify:
		return StatusFailed
	case worst == unchecked:
		return StatusUnchecked
	}
	return StatusOK
}

// weight says what a state means for the result of a pass.
type weight int

const (
	fine      weight = iota // as it should be
	noted                   // worth telling, no fault
	unchecked               // nothing is known
	failed                  // not as it should be
)

func (p Pass) weigh(s sweep.State) weight {
	w := p.plainly(s)
	if w == noted && p.Strict {
		return failed
	}
	return w
}

// plainly returns the weight of a state without --strict.
func (p Pass) plainly(s sweep.State) weight {
	switch s {
	case sweep.OK, sweep.Recorded:
		return fine
	case sweep.New, sweep.Archived:
		return noted
	case sweep.Orphan:
		if p.Command != sweep.Verify {
			return noted // all objects can have their records beside it
		}
	case sweep.NoRecord, sweep.Stale:
		if p.Command == sweep.Manifest && p.AllowMissing {
			return noted
		}
	case sweep.Mismatch, sweep.Missing, sweep.Moved:
	default: // unreadable, or a state that this version does not know
		if p.Command == sweep.Verify {
			return unchecked
		}
	}
	return failed
}
