package pipeline

import (
	"context"
	"io"
)

// Decoder turns a message into events. The attributes are the message's
// metadata; some sources put their event there. An undecodable message is a
// [Permanent] error that names what was wrong with it; of a message that is
// undecodable in part, the events that could be read come with the error. It
// changes neither body nor attributes. Safe for concurrent use.
type Decoder func(body []byte, attributes map[string]string) ([]Event, error)

// Handler does what one event asks for. It is called for several events at
// once, more than once for the same event, and must come to the same end each
// time. A nil error means that the work is done and will survive a crash.
type Handler func(ctx context.Context, e Event) error

// Source reads objects. Its methods are safe for concurrent use.
type Source interface {
	// Open returns the object's content as it was at the version that o names
	// (VersionID, else ETag; neither: whatever is current). The reader's Object
	// tells what was opened, with everything the store knows about it.
	// Errors: ErrNotFound, ErrChanged, ErrArchived, ErrOwnRecord for what
	// bucketsum wrote there by another layout of records, a Permanent one for a key
	// that the store cannot hold; anything else is transient.
	Open(ctx context.Context, o Object) (Reader, error)
	// Stat returns the current state of the key. Errors: as of Open.
	Stat(ctx context.Context, o Object) (Object, error)
}

// Reader is the content of one object version, read once from start to end.
type Reader interface {
	io.ReadCloser
	Object() Object
	// Claims returns what the store itself says of the content's checksums; none
	// if it says nothing. It may ask the store; what it cannot learn it leaves out.
	Claims(ctx context.Context) []Claim
}

// Recorder keeps records. Its methods are safe for concurrent use, also from
// several processes.
type Recorder interface {
	// Lookup returns the record of the object's key, of whichever version it
	// is, with those of the algorithms that are recorded. ErrNotFound if there
	// is none that bucketsum wrote.
	Lookup(ctx context.Context, o Object) (Record, error)
	// Save writes the record, replacing one of an older version, also of an
	// algorithm that the new one does not hold, where it costs little to find
	// that. It never
	// replaces what bucketsum did not write: that is a Permanent error. A
	// record of a newer version that is there already: ErrChanged.
	Save(ctx context.Context, r Record) error
	// Remove takes away the record of the object's key, of whatever algorithms,
	// and reports whether there was one. What bucketsum did not write stays. ErrChanged if the
	// record is of a newer version than o.
	Remove(ctx context.Context, o Object) (bool, error)
	// IsRecord reports whether the key is that of a record, so that a record
	// never becomes work.
	IsRecord(key string) bool
}

// Bucket is one configured bucket: where objects are read and where their
// records go.
type Bucket struct {
	Source  Source
	Records Recorder
	// Checkpoints keeps how far large objects are. nil: nobody does.
	Checkpoints Checkpoints
}

// Publisher announces results. Publish returns when the result is safe with
// its receiver; a nil Publisher announces nothing.
type Publisher func(ctx context.Context, r Result) error
