package live

import (
	"errors"
	"io/fs"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Status is the answer of GET /status: what bucketsum does and has done. Scripts read it, so fields may be added
// and are never renamed. Times are RFC 3339 in UTC, sizes are bytes. Keys are exact, except that each byte that is
// not UTF-8 becomes U+FFFD and that keys are cut after 4,096 bytes.
type Status struct {
	StartedAt   time.Time `json:"started_at"`
	Totals      Totals    `json:"totals"`        // since StartedAt
	InWork      []Work    `json:"in_work"`       // the objects that are being read; the 100 that began first
	InWorkCount int       `json:"in_work_count"` // number of objects that are being read
	// BytesPerSecond is how fast objects are read now, ResultsPerSecond how many results there were in the last seconds.
	BytesPerSecond   int64   `json:"bytes_per_second"`
	ResultsPerSecond float64 `json:"results_per_second"`
	// BytesLeft is what the objects in work still have to be read; null if the size of one is unknown.
	BytesLeft *int64   `json:"bytes_left"`
	Waiting   *Waiting `json:"waiting"` // what the queue has for a worker; null: it does not tell
	LastHour  Hour     `json:"last_hour"`
	Results   []Done   `json:"results"` // the last 100, newest first
	// Failures are the failures among the last 100 whose object has not succeeded since, one for
	// each object, newest first.
	Failures []Failure `json:"failures"`
}

// Waiting is what waits for a worker.
type Waiting struct {
	Count  int64  `json:"count"`            // messages
	Bound  Bound  `json:"bound"`            // how sure that is
	Shared bool   `json:"shared"`           // other workers may take some of them
	Reason string `json:"reason,omitempty"` // why no work is done; empty: it is
}

// Bound says how a number is to be read.
type Bound string

// The bounds.
const (
	Exactly Bound = "exactly"
	About   Bound = "about" // the queue tells its number late
	AtLeast Bound = "at least"
)

// Totals counts the work since the start.
type Totals struct {
	Summed   int64 `json:"summed"`   // objects that were read and recorded
	Bytes    int64 `json:"bytes"`    // the sum of their sizes
	Current  int64 `json:"current"`  // objects whose version had its record already
	Removed  int64 `json:"removed"`  // records of deleted objects
	Kept     int64 `json:"kept"`     // deleted objects whose record was kept, or that had none
	Failed   int64 `json:"failed"`   // failures that are final; local takes back those that are put right
	Returned int64 `json:"returned"` // deliveries that went back to the queue
	// Comparisons of content with the claims of the store. An object counts again when its event
	// is redelivered.
	Verified   int64 `json:"verified"`   // objects that were read and match a claim
	Mismatched int64 `json:"mismatched"` // objects that differ from a claim
	Unchecked  int64 `json:"unchecked"`  // claims that could not be checked
}

// Work is an object that is being read.
type Work struct {
	Bucket    string    `json:"bucket"`
	Key       string    `json:"key"`
	VersionID string    `json:"version_id,omitempty"`
	Size      *int64    `json:"size"` // null: unknown
	Read      int64     `json:"read"` // bytes so far
	StartedAt time.Time `json:"started_at"`
}

// Done is the result for one object.
type Done struct {
	At        time.Time         `json:"at"`
	Outcome   pipeline.Outcome  `json:"outcome"` // recorded, current, removed, kept or mismatch
	Bucket    string            `json:"bucket"`
	Key       string            `json:"key"`
	VersionID string            `json:"version_id,omitempty"`
	Size      *int64            `json:"size"`    // null: unknown, or the object is gone
	Digests   map[string]string `json:"digests"` // by algorithm; empty if the object is gone
	Seconds   float64           `json:"duration_seconds"`
}

// Failure is an object that got no checksum, or a message that could not be decoded; a message has neither
// bucket nor key.
type Failure struct {
	At        time.Time `json:"at"`
	Bucket    string    `json:"bucket"`
	Key       string    `json:"key"`
	VersionID string    `json:"version_id,omitempty"`
	MessageID string    `json:"message_id,omitempty"`
	Attempt   int       `json:"attempt,omitempty"` // deliveries so far
	Kind      Kind      `json:"kind,omitempty"`
	Reason    string    `json:"reason"`
	Final     bool      `json:"final"` // not retried
}

// Kind is a class of failures that call for the same remedy.
type Kind string

// The kinds. Other reasons have none.
const (
	KindPermission    Kind = "permission"     // the store refuses access
	KindMissing       Kind = "missing"        // there is no such object
	KindArchived      Kind = "archived"       // the object must be restored before it can be read
	KindMismatch      Kind = "mismatch"       // the content is not what its store, or a file of the user's, claims
	KindUnknownBucket Kind = "unknown_bucket" // the bucket is not configured
	KindUndecodable   Kind = "undecodable"    // the message is not an event that is known
)

// kindOf returns the kind of an error of an object, or of a message as a whole if the object has no key.
func kindOf(o pipeline.Object, err error) Kind {
	switch {
	case errors.Is(err, pipeline.ErrMismatch):
		return KindMismatch
	case errors.Is(err, pipeline.ErrUnknownBucket):
		return KindUnknownBucket
	case errors.Is(err, pipeline.ErrArchived):
		return KindArchived
	case errors.Is(err, fs.ErrPermission):
		return KindPermission
	case errors.Is(err, pipeline.ErrMissing), errors.Is(err, pipeline.ErrNotFound):
		return KindMissing
	case o.Key == "" && pipeline.Classify(err) == pipeline.ClassPermanent:
		return KindUndecodable
	default:
		return ""
	}
}
