package pipeline

import (
	"strings"
	"time"
)

// Object names one state of one object in a bucket, as far as its source told.
// Empty fields are unknown.
type Object struct {
	Bucket    string // name as events carry it
	Key       string // exactly as the object is named: never escaped
	VersionID string // empty in an unversioned bucket
	ETag      string // without quotes
	Size      int64  // bytes; UnknownSize if the source did not say
	Sequencer string // orders the events of one key; see CompareSequencers
}

// UnknownSize is the Size of an object whose event carries none.
const UnknownSize int64 = -1

// String returns bucket and key for people to read.
func (o Object) String() string { return o.Bucket + "/" + o.Key }

// SameVersion reports whether o and other are the same state of the same
// object: by version id where both have one, else by ETag. Two objects without
// either are not known to be the same.
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
	// Ignored is an event that asks for no work, such as s3:TestEvent or one of
	// a kind that this version does not know. It is acknowledged and counted.
	Ignored Kind = iota
	// Created means that an object has new content.
	Created
	// Deleted means that an object's current version is gone.
	Deleted
	// Restored means that an archived object can be read again.
	Restored
)

// String returns the kind in lower case, as logs and results name it.
func (k Kind) String() string {
	switch k {
	case Created:
		return "created"
	case Deleted:
		return "deleted"
	case Restored:
		return "restored"
	default:
		return "ignored"
	}
}

// Event is one thing that happened to one object.
type Event struct {
	Kind   Kind
	Object Object
	ID     string    // the source's id of the event; empty if it has none
	Name   string    // what the source calls it, such as "Object Created" or "ObjectCreated:Put"
	Time   time.Time // when it happened; zero if the source did not say
}

// Identity is equal for two deliveries of one event and different for any two
// events, so that it can tell duplicates. It is empty for an event that carries
// nothing to tell it by; such an event is never taken for a duplicate.
func (e Event) Identity() string {
	o := e.Object
	if o.Sequencer == "" && e.ID == "" {
		return ""
	}
	// One key can get the same ETag twice (deleted and put back), and some
	// S3-compatible servers send a constant sequencer or id: the time tells
	// those apart. The id is left out where there is a sequencer, as a source
	// may give a new one to the same event.
	mark := o.Sequencer
	if mark == "" {
		mark = "id " + e.ID
	}
	return strings.Join([]string{e.Kind.String(), o.Bucket, o.Key, o.VersionID, o.ETag, mark,
		e.Time.UTC().Format(time.RFC3339Nano)}, "\x00")
}

// CompareSequencers orders two sequencers of the same key: negative if a is
// older, positive if newer, 0 if equal or if either is empty (unknown). The
// shorter is padded with zeros on its right and the two are compared as strings,
// as https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
// describes.
func CompareSequencers(a, b string) int {
	if a == "" || b == "" {
		return 0
	}
	n := max(len(a), len(b))
	return strings.Compare(
		a+strings.Repeat("0", n-len(a)),
		b+strings.Repeat("0", n-len(b)),
	)
}
