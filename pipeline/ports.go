package pipeline

import (
	"context"
	"io"
)

// Decoder turns a message into events. The attributes are the message's metadata; some sources
// put their event there. It changes neither body nor attributes. Safe for concurrent use.
//
// A [Permanent] error says why the message cannot be decoded. If only a part of the message
// can be decoded, the events of that part come with the error.
type Decoder func(body []byte, attributes map[string]string) ([]Event, error)

// Handler does the work that one event asks for. It runs for several events at once and more
// than once for the same event, and is idempotent. A nil error means that the work is done and
// survives a crash.
type Handler func(ctx context.Context, e Event) error

// Source reads objects. Its methods are safe for concurrent use.
type Source interface {
	// Open returns the content of the version that o names by VersionID, else by ETag; with
	// neither, of the current version. The reader's Object describes what was opened, with
	// everything that the store knows about it.
	//
	// Errors: ErrNotFound, ErrChanged, ErrArchived; ErrOwnRecord for an object that bucketsum
	// wrote under another layout of records; a Permanent error for a key that the store cannot
	// hold, which wraps ErrNotFound. All other errors are transient.
	Open(ctx context.Context, o Object) (Reader, error)
	// OpenAt is Open from the byte at offset on. offset is at most the size of the object. The
	// reader's Object describes the whole object.
	OpenAt(ctx context.Context, o Object, offset int64) (Reader, error)
	// Stat returns the current state of the key. Errors: see Open.
	Stat(ctx context.Context, o Object) (Object, error)
}

// Reader is the content of one version of an object, read once from start to end.
type Reader interface {
	io.ReadCloser
	Object() Object
	// Claims returns the checksums that the store states for the content; none if it states
	// none. It may ask the store, and leaves out what the store does not answer.
	Claims(ctx context.Context) []Claim
}

// Recorder keeps records. Its methods are safe for concurrent use, also by several processes.
type Recorder interface {
	// Lookup returns the record of the object's key, for any version of the object, with the
	// algorithms that are recorded, and what it saw. ErrNotFound if bucketsum wrote none; what was seen
	// and Record.UserFiles come with it, too.
	Lookup(ctx context.Context, o Object) (Record, Seen, error)
	// Save writes the record if the keys of the record still hold what was seen; with a nil
	// seen, if they hold nothing. ErrChanged if they hold something else: the caller looks at
	// the record again, then at the object. An object that bucketsum did not write becomes the
	// record if it states the right checksum and nothing else; Save never replaces another one:
	// that is a Permanent error, a ContradictionError if it states another checksum. Save also
	// removes records of other versions that belong to other algorithms, where those cost little
	// to find.
	Save(ctx context.Context, r Record, seen Seen) error
	// Remove deletes the record of the object's key, for all algorithms, and reports whether
	// there was one. It leaves objects that bucketsum neither wrote nor adopted. ErrChanged if
	// the keys of the record no longer hold what was seen.
	Remove(ctx context.Context, o Object, seen Seen) (bool, error)
	// IsRecord reports whether the key is the key of a record, so that a record never becomes
	// work.
	IsRecord(key string) bool
}

// Seen is what a Lookup saw, in the form of the Recorder that returned it. Nothing else reads it.
type Seen any

// Checkpoints keeps how far the reading of an object has come, one state for each key, so that
// the next worker can resume. Its methods are safe for concurrent use, also by several
// processes; the last Save wins. The reader of a state makes sure that it belongs to the
// right version.
type Checkpoints interface {
	// Load returns the state that was saved last for the object's key, for any version.
	// ErrNotFound if there is none. A Permanent error means that asking again does not help.
	Load(ctx context.Context, o Object) ([]byte, error)
	// Save replaces the state of the object's key by a new one of a few kilobytes. The state
	// survives a crash when Save returns nil.
	Save(ctx context.Context, o Object, state []byte) error
	// Delete removes the state of the object's key. It returns nil if there is none.
	Delete(ctx context.Context, o Object) error
}

// Bucket is one configured bucket: where objects are read and where their records go.
type Bucket struct {
	Source      Source
	Records     Recorder
	Checkpoints Checkpoints // nil: interrupted readings start again
	// Unmodified reports whether users have left an object alone between two states of it, so that a difference of
	// their content is damage. In a folder it ignores the time of change, which damage and chmod set, too. nil:
	// Object.SameVersion.
	Unmodified func(a, b Object) bool
}

// Publisher announces results. It returns nil when the receiver has the result safely; the
// message of the event is acknowledged only then. A nil Publisher announces nothing. Code that
// only watches results is an [Observer].
type Publisher func(ctx context.Context, r Result) error
