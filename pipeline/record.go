package pipeline

import "time"

// Record is what bucketsum knows about one object version: its digests and what
// they were computed from.
type Record struct {
	Source     Object            // the version that was read, its Size always known
	Digests    map[string]string // algorithm name → value as package digest prints it
	ComputedAt time.Time
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
	Record   Record // Digests are empty unless Outcome is Recorded or Current
	EventID  string
	Duration time.Duration // from the start of the work to its end, waiting in queues excluded
}

// Outcome says what became of an event.
type Outcome string

// The outcomes of events.
const (
	Recorded Outcome = "recorded" // read, digested and recorded
	Current  Outcome = "current"  // a record of this very version was there
	Removed  Outcome = "removed"  // the object is gone and so is its record
	Kept     Outcome = "kept"     // the object is gone; its record was left, as configured or as there was none of ours
)
