package pipeline

import (
	"context"
	"slices"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Record is what bucketsum knows about one version of an object: its digests and what they were
// computed from.
type Record struct {
	Source     Object            // the version that was read; its Size is known
	Digests    map[string]string // value by algorithm, as package digest prints it
	ComputedAt time.Time
	// VerifiedAt is when the content was last read again and found to be that of the record. Zero: not since
	// ComputedAt.
	VerifiedAt time.Time
	Checks     []Check // the content compared with the claims of the store
	// UserFiles are in the place of records, and are not records. Only Recorder.Lookup sets them.
	UserFiles []UserFile
}

// UserFile is a file in the place of the record of one algorithm that bucketsum did not write, and what it states about
// the object.
type UserFile struct {
	Key       string
	Algorithm string
	Values    []string // as package digest prints them; none: it states nothing about the object
	Adoptable bool     // it states one value and nothing else: Recorder.Save adopts it if the value is right
	Stray     bool     // bucketsum wrote it, and what it was computed from is no longer known: Recorder.Save replaces it
}

// Mismatched reports whether the content differs from a claim of its store.
func (r Record) Mismatched() bool {
	return slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Outcome == digest.Mismatch })
}

// Covers reports whether the record has all of the algorithms for exactly this version of the
// object, so that nothing is left to compute.
func (r Record) Covers(o Object, algorithms []string) bool {
	missing := func(name string) bool { return r.Digests[name] == "" }
	return r.Source.SameVersion(o) && !slices.ContainsFunc(algorithms, missing)
}

// Claim is a checksum that a store states for an object's content.
type Claim struct {
	// Name is where the store states it, in lower case: etag, content-md5,
	// x-amz-checksum-sha256, …
	Name string
	digest.Claim
	// Confirm, if set, means that Parts is a guess that the store has not confirmed. Confirm
	// asks the store and returns the actual sizes. A mismatch counts only after that. Errors:
	// see Source.Open.
	Confirm func(ctx context.Context) ([]int64, error)
}

// Check is the comparison of content with a claim. A check that was read from a record has only
// Name, Algorithm and Outcome.
type Check struct {
	Name      string // of the claim
	Algorithm string // of the claim
	digest.Verdict
}

// Result is the outcome of one event.
type Result struct {
	Outcome  Outcome
	Record   Record        // without Digests unless Outcome is Recorded, Current or Mismatch
	Event    Event         // the event that asked for the work
	Duration time.Duration // of the work, without the time in queues
	Saved    bool          // with Mismatch: the record was written all the same
	Reason   string        // with Mismatch or Failed: what is wrong
}

// Outcome says what became of an event.
type Outcome string

// The outcomes of events.
const (
	Recorded Outcome = "recorded" // read, digested and recorded
	Current  Outcome = "current"  // this version had its record already
	Removed  Outcome = "removed"  // the object is gone, and its record was removed
	Kept     Outcome = "kept"     // the object is gone; its record was left as configured, or it had none
	Mismatch Outcome = "mismatch" // the content differs from a claim of its store; see ErrMismatch
	Failed   Outcome = "failed"   // given up: the message goes to the dead letters
)
