// Package driver is what a storage technology implements so that blobstore.Store can
// read its objects and keep records in it.
//
// A driver translates: keys, versions, conditions and errors of its technology into those
// of this package and of package pipeline. Everything that is the same for all of them
// (which objects are records, resuming a broken body, reading ahead, checkpoints) is in
// package blobstore. Package drivertest has the suite that every driver passes.
package driver

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Driver opens the buckets of one technology.
type Driver struct {
	Scheme  string // of its URLs
	Example string // of a URL, for help and error messages
	// Open opens the bucket of a URL. It does not need to reach the store: Bucket.Reachable
	// and Traits.Usable do that.
	Open func(ctx context.Context, u *url.URL, o Options) (Bucket, error)
	// Private: each Open makes an empty bucket of its own.
	Private bool
	// NameOf returns the name that events use for the bucket of a URL. nil: the URL's host.
	NameOf func(u *url.URL) string
}

// Options is what blobstore.Config says to a driver.
type Options struct {
	Log     *slog.Logger // never nil
	Records RecordOptions
}

// RecordOptions says how a store keeps records. Only stores with Traits.RecordOptions
// take other values than zero.
type RecordOptions struct {
	KMSKey       string            // id or ARN of the key that encrypts records
	StorageClass string            // as S3 names it, such as STANDARD_IA
	Tags         map[string]string // of the records, at most ten
}

// Bucket is an open bucket. Its methods are safe for concurrent use, except Close.
//
// Errors are those of package pipeline: ErrNotFound and ErrChanged for an object that is
// not there or is another one (never for a bucket that is gone: that is transient),
// ErrArchived, Permanent errors for keys and versions that cannot exist, and Denied where
// the store refuses access. Any other error is transient.
type Bucket interface {
	// Traits returns what is special about this bucket. It is the same at each call.
	Traits() Traits
	// Check explains why no object can have the key; nil if one can. The caller checks
	// that a key is not empty, is UTF-8 and is no longer than Traits.KeyLimit.
	Check(key string) error
	// Stat returns the current state of an object.
	Stat(ctx context.Context, key string) (State, error)
	// Open opens an object at an offset: the version that o names (VersionID, else ETag),
	// else the current one. It may open another version than the one that o names; the
	// caller compares. The context stays in use until the body is closed.
	Open(ctx context.Context, o pipeline.Object, offset int64) (Content, error)
	// List returns all objects whose key has the prefix and is in the range, in the lexical order of
	// the bytes of keys. It may list others that are not in the range. An error that ends the listing
	// comes with an empty Key; others say what is wrong with one key, or with the folder of that key.
	List(ctx context.Context, l Listing) iter.Seq2[Entry, error]

	// Get returns at most limit bytes of a small object, and its metadata.
	Get(ctx context.Context, key string, limit int64) (*Blob, error)
	// Put writes a small object, all of it or nothing. ErrChanged if the condition does
	// not hold. Where the store has no conditions, the caller's lock has to do.
	Put(ctx context.Context, key string, b *Blob, c Condition) error
	// Delete deletes a small object. ErrNotFound if it is gone, ErrChanged if the
	// condition does not hold.
	Delete(ctx context.Context, key string, c Condition) error
	// Lock waits until no one else has the key, and returns the function that unlocks it,
	// or the error of ctx. It excludes other goroutines; other processes only where the
	// store has no conditions. Put and Delete of records are called under the lock.
	Lock(ctx context.Context, key string) (unlock func(), err error)

	// Reachable reports why the bucket cannot be reached now. It costs one small request
	// or one system call, so that a readiness probe can call it.
	Reachable(ctx context.Context) error
	Close() error
}

// Traits is what is special about a bucket. The zero value is a store without a limit for
// keys, which is asked by requests and keeps metadata with its objects.
type Traits struct {
	Name      string // of the technology, for error messages
	KeyLimit  int    // longest key; 0: no limit
	KeyInRune bool   // KeyLimit counts characters, not bytes

	// Local: a look at a key costs next to nothing. Metadata comes with Get only. Below
	// folders named filebucket.Hidden the driver keeps files of its own.
	Local bool
	// SameTag: Blob.Tag depends on the data only, so that two blobs with the same data
	// cannot be told apart by a Condition.
	SameTag bool
	// RecordOptions: the store takes RecordOptions.
	RecordOptions bool
	// Versions: List takes Listing.Versions.
	Versions bool

	// Unmodified implements pipeline.Bucket.Unmodified. nil: as there.
	Unmodified func(a, b pipeline.Object) bool
	// Mode returns which users may read and write an object. nil: objects have no permissions of
	// their own.
	Mode func(key string) fs.FileMode
	// Tags reads and writes tags of objects. nil: objects have no tags.
	Tags Tagger
	// Usable reports what keeps the bucket from being used, with what to do about it. It
	// may take several requests. nil: Bucket.Reachable says all that can be said.
	Usable func(ctx context.Context) error
	// Conditions says in one line which conditions of writes the store honours. It may write
	// an object of its own to find out, and removes it. nil: all that this package has.
	Conditions func(ctx context.Context) (string, error)
	// Writable reports why no record could be written. nil: only a write shows.
	Writable func() error
	// CleanUp removes what a process that was killed left behind. nil: nothing is.
	CleanUp func(ctx context.Context, r Records) error
	// Create begins an object at a key that Bucket.Check accepts. A permanent error says why none can be there. nil: objects
	// cannot be written.
	Create func(key string) (Upload, error)
}

// Upload is an object that arrives. It is not visible before Place.
type Upload interface {
	io.Writer
	// Place makes the object visible, once. pipeline.ErrChanged: the condition does not hold.
	Place(Replace) (State, error)
	// Close frees what an upload has that was not placed. It must be called in any case.
	Close() error
}

// Replace says which object an upload may replace. The zero value: none.
type Replace struct {
	Any   bool   // any, or none
	There bool   // any, and there must be one
	ETag  string // the one with this ETag
}

// KeyLength returns the length of a key as KeyLimit counts it, and the unit.
func (t Traits) KeyLength(key string) (int, string) {
	if t.KeyInRune {
		return utf8.RuneCountInString(key), "characters"
	}
	return len(key), "bytes"
}

// Tagger reads and writes the tags of objects. Its methods are safe for concurrent use.
type Tagger interface {
	// ReadTags returns the tags of the version that o names, or of the current one, and
	// the id of that version if the store tells it.
	ReadTags(ctx context.Context, o pipeline.Object) (tags map[string]string, versionID string, err error)
	// WriteTags replaces all tags of the version that o names, or of the current one.
	WriteTags(ctx context.Context, o pipeline.Object, tags map[string]string) error
}

// Records is what Traits.CleanUp must know about records.
type Records struct {
	// Possible reports whether some layout could have a record at the key.
	Possible func(key string) bool
	// Source returns the key of the object that a record is of; empty if it is unknown.
	Source func(record string, metadata map[string]string) string
}

// State is what a store tells about one version of an object.
type State struct {
	ETag      string // without quotes
	Size      int64  // bytes
	VersionID string // empty if the store keeps no versions of the object
	Metadata  map[string]string
}

// Is reports whether the state is that of the version that o names.
func (s State) Is(o pipeline.Object) bool {
	if id := VersionOf(o.VersionID); id != "" && s.VersionID != "" {
		return id == s.VersionID
	}
	return o.ETag == "" || o.ETag == s.ETag
}

// Of returns the object in this state.
func (s State) Of(o pipeline.Object) pipeline.Object {
	o.ETag, o.Size, o.VersionID = s.ETag, s.Size, s.VersionID
	return o
}

// VersionOf returns the id of a version; empty for the one that S3 calls "null". That
// version is overwritten in place, so that only its ETag identifies it.
func VersionOf(id string) string {
	if id == "null" {
		return ""
	}
	return id
}

// Content is an open version of an object.
type Content struct {
	State
	// Body is the content from the offset on, as it comes. It does not resume. nil if
	// nothing is left: the offset is Size or more.
	Body io.ReadCloser
	// Range asks for the bytes from a first one up to but not including an end, of this
	// version. ErrChanged if it is gone. nil: Body is a file, which needs no resuming.
	Range func(ctx context.Context, first, end int64) (io.ReadCloser, error)
	// RangeBytes is how long ranges should be that are read side by side. 0: the store
	// gains nothing from that.
	RangeBytes int64

	// Claims is what the store says about the content's checksums.
	Claims []pipeline.Claim
	// Parts asks the store for the sizes of parts that Claims need. nil: they need none.
	Parts func(ctx context.Context, claims []pipeline.Claim) []pipeline.Claim
	// Guard are the claims that a reader checks itself unless its caller does.
	Guard []pipeline.Claim
}

// Listing says what Bucket.List lists.
type Listing struct {
	Prefix string                // in a folder it is empty or ends with a slash
	Skip   func(key string) bool // leaves keys out before anything is looked up for them; nil: none
	// Range has the keys that the caller needs. A driver starts where it starts, if the store can do that, and
	// does not look at what is outside if that saves work.
	Range sweep.Range
	// Want is how many entries the caller will take, about, so that a page need not have more. 0: all.
	Want int
	// KeysOnly: the state of the entries is not needed.
	KeysOnly bool
	// Versions lists every version of each object, as Traits.Versions says: the keys in their order, the newest version
	// of a key first, without delete markers. The key Range.After is listed, too.
	Versions bool
}

// Entry is an object as it is listed.
type Entry struct {
	Key string
	State
	Modified time.Time // zero: it is not known
	Class    string    // storage class as the store names it; empty: the usual one, or not known
	Archived bool      // it must be restored before it can be read; false if the store does not tell
	Claims   []pipeline.Claim
	// Noncurrent: it is an older version, or there is only a delete marker now. With Listing.Versions only; the
	// VersionID is then as Open takes it, which may be "null".
	Noncurrent bool
}

// Blob is a small object: a record or a checkpoint.
type Blob struct {
	Data        []byte
	ContentType string
	// Metadata is kept with the data. nil in an answer: there is none, or it is not known.
	Metadata map[string]string
	// Of is the key of the object that a record is of, if it is in the same bucket. Put may refuse the record of an
	// object that is gone, with ErrNotFound. Empty: it is not known.
	Of string
	// Mode says which users may read and write a new blob, where files have permissions. 0: as the
	// system decides.
	Mode fs.FileMode

	// The answer of Get has these, too.
	Tag      string // that a Condition compares
	Archived bool   // Data cannot be read before it is restored
	// Detached: Put wrote Data with metadata that is lost. A process died while it replaced Data, and
	// Metadata belongs to what should have come; or a file was moved or copied without its note, and
	// Metadata is nil.
	Detached bool
}

// Condition says what Put may replace, or Delete delete. The zero value is: nothing is
// there, as a Get has shown.
type Condition struct {
	Old *Blob // only this, as Get returned it
	Any bool  // whatever is there
	// Unseen: nothing is there, but no Get has shown it. ErrChanged if something may be
	// there that the store would not protect.
	Unseen bool
}
