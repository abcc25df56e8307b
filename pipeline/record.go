package pipeline

import (
	"slices"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Record is what bucketsum knows about one object version: its digests and what
// they were computed from.
type Record struct {
	Source     Object            // the version that was read, its Size always known
	Digests    map[string]string // algorithm name → value as package digest prints it
	ComputedAt time.Time
	Checks     []Check // against what the store claims of the content
}

// Mismatched reports whether the content is not what its store claims.
func (r Record) Mismatched() bool {
	return slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Outcome == digest.Mismatch })
}

// Covers reports whether the record holds every one of the algorithms for this
// very version of the object, so that nothing is left to compute.
func (r Record) Covers(o Object, algorithms []string) bool {
	if !r.Source.SameVersion(o) {
		return false
	}
	for _, name := range algorithms {
		if r.Digests[name] == "" {
			return false
		}
	}
	return true
}

// Result is the outcome of one event, announced to whoever wants to act on it
// or show it.
type Result struct {
	Outcome  Outcome
	Record   Record        // Digests are empty unless Outcome is Recorded, Current or Mismatch
	Event    Event         // that asked for the work
	Duration time.Duration // from the start of the work to its end, waiting in queues excluded
	Saved    bool          // Outcome is Mismatch: the record was written all the same
	Reason   string        // Outcome is Mismatch or Failed: what is wrong
}

// Outcome says what became of an event.
type Outcome string

// The outcomes of events.
const (
	Recorded Outcome = "recorded" // read, digested and recorded
	Current  Outcome = "current"  // a record of this very version was there
	Removed  Outcome = "removed"  // the object is gone and so is its record
	Kept     Outcome = "kept"     // the object is gone; its record was left, as configured or as there was none of ours
	Mismatch Outcome = "mismatch" // read and digested, and not what the store claims; see ErrMismatch
	Failed   Outcome = "failed"   // given up: the message goes to the dead letters
)
