package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Object names one state of one object in a bucket, as far as it is known. Empty fields are
// unknown.
type Object struct {
	Bucket    string // the name that events carry
	Key       string // exactly the object's name, never escaped
	VersionID string // empty in an unversioned bucket
	ETag      string // without quotes
	Size      int64  // bytes, or UnknownSize
	Sequencer string // of the event; it is kept with the record and decides nothing
}

// The longest names that are taken for one, in bytes. A store may have a lower limit and refuse a key
// by itself.
const (
	MaxBucketName = 255  // of a folder; those of the clouds are shorter
	MaxKey        = 4096 // Azure's 1,024 characters have up to 4 bytes each; a path on Linux has 4,095

	// MaxPosition is the longest position of a Shard, in bytes. It may say more than a key. A message with two of them has
	// less than 256 KiB, whatever characters JSON must escape.
	MaxPosition = 2 * MaxKey
)

// UnknownSize is the Size of an object whose event has no size.
const UnknownSize int64 = -1

// String returns bucket and key, for people to read.
func (o Object) String() string { return o.Bucket + "/" + o.Key }

// SameVersion reports whether o and other are the same state of the same object: by version id
// if both have one, else by ETag. It is false if neither is known.
func (o Object) SameVersion(other Object) bool {
	if o.Bucket != other.Bucket || o.Key != other.Key {
		return false
	}
	if o.VersionID != "" && other.VersionID != "" {
		return o.VersionID == other.VersionID
	}
	return o.ETag != "" && o.ETag == other.ETag
}

// Kind says what happened to an object.
type Kind int

// The kinds of event.
const (
	// Ignored is an event of a kind that is known to ask for no work, such as s3:TestEvent. It is
	// acknowledged and counted. An event of an unknown kind is an error of the decoder.
	Ignored Kind = iota
	// Created means that an object has new content.
	Created
	// Deleted means that the current version of an object is gone.
	Deleted
	// Restored means that an archived object is readable again.
	Restored
	// Sweep asks for work on objects that exist already: those of the event's Shard. Its Object has only the bucket.
	Sweep
)

// String returns the kind in lower case, as logs and results print it.
func (k Kind) String() string {
	switch k {
	case Created:
		return "created"
	case Deleted:
		return "deleted"
	case Restored:
		return "restored"
	case Sweep:
		return "sweep"
	default:
		return "ignored"
	}
}

// Shard is a part of a pass over the objects that a bucket already has: those at the positions in a
// range. Package sweep has the passes.
type Shard struct {
	Pass   string // the name of the pass
	Bucket string // the name that events carry
	// After and Through are positions as the pass orders them: keys of a listing, or rows of an
	// inventory. The first is outside of the range, the last inside. An empty Through: to the end.
	After, Through string
}

// String names the pass, the bucket and the range, for people to read.
func (s Shard) String() string {
	return fmt.Sprintf("shard of pass %s: %s after %q through %q", s.Pass, s.Bucket, s.After, s.Through)
}

// MetadataTenant is the metadata that names whose work a message is, as [CheckPass] permits. A queue that serves tenants
// fairly does not let the many messages of one delay those of the others. The messages of a pass have its name.
const MetadataTenant = "bucketsum.tenant"

// passName is also the name of a folder, in which the reports of a pass are.
var passName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// CheckPass returns an error unless a text can be the name of a pass.
func CheckPass(name string) error {
	if !passName.MatchString(name) {
		return fmt.Errorf("pass %.100q: a name has 1 to 63 lower-case letters, digits, hyphens and underscores, and begins with a letter or digit", name)
	}
	return nil
}

// Validate returns an error for a shard that no pass can have: its names or positions are too long, or its range
// is empty. Its text is bounded.
func (s Shard) Validate() error {
	position := func(name, value string) error {
		if len(value) > MaxPosition {
			return fmt.Errorf("%s has %d bytes, more than the limit of %d", name, len(value), MaxPosition)
		}
		return nil
	}
	fault := cmp.Or(CheckPass(s.Pass), position("after", s.After), position("through", s.Through))
	switch {
	case fault != nil:
		return fault
	case s.Bucket == "" || len(s.Bucket) > MaxBucketName || !utf8.ValidString(s.Bucket):
		return fmt.Errorf("%.100q is not the name of a bucket", s.Bucket)
	case s.Through != "" && s.Through < s.After:
		return errors.New("the range ends before it begins")
	}
	return nil
}

// Event is one thing that happened to one object.
type Event struct {
	Kind   Kind
	Object Object
	// OtherKey is another reading of the key in the message, such as its spelling before it was decoded:
	// senders disagree on whether keys are encoded. The object of either key, or both, may be the one that
	// changed. It is empty if the key can be read in one way only.
	OtherKey string
	Shard    *Shard // with Sweep only

	ID   string    // the id that the source gave to the event; empty if none
	Name string    // the source's name for the event, such as "Object Created" or "ObjectCreated:Put"
	Time time.Time // when it happened; zero if unknown

	// Repeated means that the work may be done: this process has begun it before, or the message was
	// delivered before.
	Repeated bool
}

// Identity is equal for two deliveries of the same event and differs between any two events, so
// that it finds repetitions. It is empty for an event that has nothing to identify it by; such
// an event never counts as repeated.
func (e Event) Identity() string {
	o := e.Object
	if o.Sequencer == "" && e.ID == "" {
		return ""
	}
	// A key can get the same ETag twice (deleted and put back), and some S3-compatible
	// servers send a constant sequencer or id: the time tells such events apart. With a
	// sequencer the id is not used, because a source may give the same event a new id.
	mark := o.Sequencer
	if mark == "" {
		mark = "id " + e.ID
	}
	parts := []string{e.Kind.String(), o.Bucket, o.Key, o.VersionID, o.ETag, mark, e.Time.UTC().Format(time.RFC3339Nano)}
	if e.OtherKey != "" { // "a+b" and "a%20b" have one decoded reading, but ask for different work
		parts = append(parts, e.OtherKey)
	}
	return strings.Join(parts, "\x00")
}
