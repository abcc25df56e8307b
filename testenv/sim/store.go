package sim

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

// store is a bucket of S3: versions or none, ETags, conditional writes, delete markers, user metadata, and an
// event for each change.
type store struct {
	name       string
	versioned  bool
	configured bool // workers are told about it
	outage     bool
	unknown404 bool // see Profile.UnknownVersions

	keys  map[string]*past
	last  int               // number of the last change; sequencers are made of it
	names map[string]string // of objects, by the keys of their checkpoints; workers read it
	// changed is told every change, after it.
	changed func(change)
}

// past is all that ever was at one key.
type past struct {
	stack []*version // that exist, the current one last; delete markers, too
	ever  []*version // in the order of their writing
	// states are the current versions over time; nil: there was no object.
	states  []*version
	changes []change
}

// version is one version of an object, or a delete marker.
type version struct {
	id, etag, sequencer string
	n                   int // number of the change that wrote it
	data                []byte
	metadata            map[string]string
	contentType         string
	marker              bool
	parts               bool // uploaded in parts: the ETag is no MD5
	falseClaim          bool // the store states a wrong checksum for it
	byUser              bool
	sums                map[string]string // by algorithm, computed here
}

// change is what an event tells.
type change struct {
	store   *store
	key     string
	kind    string // created, marked, removed
	version *version
	n       int
	at      time.Time
	byUser  bool
}

func newStore(name string, versioned bool) *store {
	return &store{name: name, versioned: versioned, configured: true, keys: make(map[string]*past), names: make(map[string]string), changed: func(change) {}}
}

// at returns what is and was at a key.
func (s *store) at(key string) *past {
	h := s.keys[key]
	if h == nil {
		h = &past{}
		s.keys[key] = h
	}
	return h
}

// current returns the object at a key, or nil.
func (s *store) current(key string) *version { return s.at(key).current() }

func (h *past) current() *version {
	if n := len(h.stack); n > 0 && !h.stack[n-1].marker {
		return h.stack[n-1]
	}
	return nil
}

// last returns the object that was written last, whether it is there or not; nil if there was none.
func (h *past) last() *version {
	for _, v := range slices.Backward(h.ever) {
		if !v.marker {
			return v
		}
	}
	return nil
}

// find returns the version with an id, or nil.
func (h *past) find(id string) *version {
	i := slices.IndexFunc(h.stack, func(v *version) bool { return v.id == id })
	if i < 0 || h.stack[i].marker {
		return nil
	}
	return h.stack[i]
}

// named returns every version that the key ever had under an id or, without versions, an ETag.
func (h *past) named(id, etag string) []*version {
	var found []*version
	for _, v := range h.ever {
		if !v.marker && (id != "" && v.id == id || id == "" && v.etag == etag) {
			found = append(found, v)
		}
	}
	return found
}

// put writes a version of an object.
func (s *store) put(key string, v *version) {
	s.last++
	v.n, v.sequencer = s.last, fmt.Sprintf("00%014X", s.last)
	if v.parts {
		v.etag = v.sum("md5")[:30] + "00-3"
	} else {
		v.etag = v.sum("md5")
	}
	h := s.at(key)
	if s.versioned {
		v.id = fmt.Sprintf("v%d", s.last)
	} else {
		h.stack = nil
	}
	h.stack = append(h.stack, v)
	h.ever = append(h.ever, v)
	s.tell(key, "created", v, v.byUser)
}

// remove deletes the object at a key: with versions it writes a delete marker.
func (s *store) remove(key string, byUser bool) {
	s.last++
	h := s.at(key)
	gone := h.current()
	if !s.versioned {
		if gone == nil {
			return
		}
		h.stack = nil
		s.tell(key, "removed", gone, byUser)
		return
	}
	marker := &version{id: fmt.Sprintf("v%d", s.last), n: s.last, marker: true}
	h.stack = append(h.stack, marker)
	h.ever = append(h.ever, marker)
	s.tell(key, "marked", marker, byUser)
}

// removeVersion deletes one version for good. The one before it becomes the current one.
func (s *store) removeVersion(key string, v *version) {
	s.last++
	h := s.at(key)
	h.stack = slices.DeleteFunc(h.stack, func(w *version) bool { return w == v })
	s.tell(key, "removed", v, true)
}

func (s *store) tell(key, kind string, v *version, byUser bool) {
	h := s.at(key)
	h.states = append(h.states, h.current())
	c := change{store: s, key: key, kind: kind, version: v, n: s.last, at: time.Now(), byUser: byUser}
	h.changes = append(h.changes, c)
	s.changed(c)
}

// sum returns a checksum of the content. It does not come from the code under test.
func (v *version) sum(algorithm string) string {
	if v.sums == nil {
		v.sums = make(map[string]string)
	}
	if v.sums[algorithm] == "" {
		switch algorithm {
		case "md5":
			d := md5.Sum(v.data)
			v.sums[algorithm] = hex.EncodeToString(d[:])
		case "sha256":
			d := sha256.Sum256(v.data)
			v.sums[algorithm] = hex.EncodeToString(d[:])
		default:
			panic("the model does not compute " + algorithm)
		}
	}
	return v.sums[algorithm]
}

// ours reports whether bucketsum wrote the version as a record.
func (v *version) ours() bool { return v.metadata["written-by"] == "bucketsum" }

// isRecordOf reports whether the version is a record, by bucketsum, that names this version of an object and
// has the right checksum.
func (v *version) isRecordOf(object *version, algorithm string) bool {
	if !v.ours() || v.metadata["source-version-id"] != object.id || v.metadata["source-etag"] != object.etag {
		return false
	}
	return valueOf(v.data) == object.sum(algorithm)
}

// valueOf returns the checksum of a line of md5sum.
func valueOf(line []byte) string {
	value, _, _ := strings.Cut(strings.TrimPrefix(string(line), `\`), " ")
	return value
}

// layout is the default one.
var layout blobstore.Layout

// objectOf returns the key of the object that a key belongs to: as its record, its checkpoint, or itself.
func objectOf(key string) string {
	key = strings.TrimSuffix(key, checkpointSuffix)
	if object, _, ok := layout.ObjectKey(key); ok {
		return object
	}
	return key
}

// checkpointSuffix stands for the hash in the key of a checkpoint in histories.
const checkpointSuffix = ".checkpoint"

// checkpointKey returns where the checkpoint of an object is.
func (s *store) checkpointKey(key string) string {
	return fmt.Sprintf("%s%x", driver.Checkpoints, sha256.Sum256([]byte(s.name+"\x00"+key)))
}

// nameOf returns a key with its bucket, as histories have it.
func (s *store) nameOf(key string) string {
	if object := s.names[key]; object != "" {
		key = object + checkpointSuffix
	}
	return s.name + "/" + key
}
