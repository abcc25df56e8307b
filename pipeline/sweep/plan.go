package sweep

import (
	"context"
	"iter"
	"time"
)

// Command says what a pass does with each object.
type Command string

// The commands.
const (
	Backfill Command = "backfill" // each object gets its current record
	Verify   Command = "verify"   // content, or only versions, are compared with records
	Manifest Command = "manifest" // the records are read
)

// Plan is a pass: what it does, and with which objects. It is written once, when the pass begins. Workers
// read it, so that a message needs only its name.
type Plan struct {
	Pass    string    `json:"pass"`
	Command Command   `json:"command"`
	Created time.Time `json:"created"`
	Version string    `json:"version"` // of the program
	Options Options   `json:"options"`
	// Buckets has the ranges of each bucket, by the name that events carry. Together, the ranges of a bucket
	// cover all positions.
	Buckets map[string][]Range `json:"buckets"`
}

// Options says which objects a pass is about, and how it looks at them. The zero value: all of them, by reading.
type Options struct {
	Algorithms  []string  `json:"algorithms,omitempty"`
	Prefix      string    `json:"prefix,omitempty"` // of keys
	Include     []string  `json:"include,omitempty"`
	Exclude     []string  `json:"exclude,omitempty"`
	Newer       time.Time `json:"newer,omitzero"` // modified after this
	Larger      int64     `json:"larger,omitempty"`
	Sample      float64   `json:"sample,omitempty"` // share of the objects, from 0 to 1, chosen by a hash of the key; 0: all
	RecordsOnly bool      `json:"records_only,omitempty"`
	// VerifiedBefore selects objects that were last found right before this; see Row.VerifiedAt. A successful check
	// renews that time.
	VerifiedBefore time.Time `json:"verified_before,omitzero"`
	// Against: the content is compared with a list, not with records.
	Against bool `json:"against,omitempty"`
}

// Reports keeps plans and reports by name: names are relative paths of lower-case letters, digits and "-_./".
// Its methods are safe for concurrent use, also by several processes.
type Reports interface {
	// Put writes an object of a few megabytes, unless there is one already: pipeline.ErrChanged.
	Put(ctx context.Context, name string, data []byte) error
	// Get returns an object, or pipeline.ErrNotFound.
	Get(ctx context.Context, name string) ([]byte, error)
	// Names yields the names that begin with a prefix that ends with a slash, in lexical order.
	Names(ctx context.Context, prefix string) iter.Seq2[string, error]
}
