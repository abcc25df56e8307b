package storm

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeebo/blake3"
)

// content is what an object holds. Its bytes are made again from its seed, so that a storm
// can know every version without keeping it.
type content struct {
	seed uint64
	size int
	sums map[string]string // hexadecimal, by algorithm
}

func (c *content) bytes() []byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], c.seed)
	b := make([]byte, c.size)
	_, _ = rand.NewChaCha8(seed).Read(b) // it never fails
	return b
}

// hashes are the algorithms that lanes use, from other sources than the program's where there
// are any.
var hashes = map[string]func() hash.Hash{
	"md5":       md5.New,
	"sha1":      sha1.New,
	"sha256":    sha256.New,
	"sha512":    sha512.New,
	"crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	"blake3":    func() hash.Hash { return blake3.New() },
}

// sumsOf returns the checksums of data.
func sumsOf(data []byte, algorithms []string) map[string]string {
	sums := make(map[string]string)
	for _, alg := range algorithms {
		h := hashes[alg]()
		h.Write(data)
		sums[alg] = hex.EncodeToString(h.Sum(nil))
	}
	return sums
}

// newContent makes content of a size.
func newContent(seed uint64, size int, algorithms []string) (*content, []byte) {
	c := &content{seed: seed, size: size}
	data := c.bytes()
	c.sums = sumsOf(data, algorithms)
	return c, data
}

// sizeOf draws the size of an object: most are small, a few have several checkpoints.
func sizeOf(d *dice) int {
	switch p := d.float(); {
	case p < 0.03:
		return 0
	case p < 0.75:
		return int(d.below(4 << 10))
	case p < 0.97:
		return int(d.below(64 << 10))
	default:
		return checkpointAbove + int(d.below(1<<20))
	}
}

// version is one state of a key.
type version struct {
	etag, id string
	content  *content
	marker   bool // a delete marker
}

// object is what the users know of a key. A user holds busy while it changes the object.
type object struct {
	place *place
	key   string
	phase *phase
	busy  sync.Mutex
	// changing is held while the store changes the object. S3 tags the version that a request
	// names; versitygw looks for the version, and then tags what is there, which may be the
	// next one. So the proxy holds changing for reading around requests for tags.
	changing sync.RWMutex

	mu       sync.Mutex
	byETag   map[string]*content // of changes that have begun, too
	sums     map[string]bool     // "ALG VALUE" of everything the key has ever held
	ids      map[string]string   // ETags, by version id
	versions []version           // the last one is current; at most one without versioning
	told     map[string]bool     // identities that results have announced
	history  []string            // for the report of a fault
	changed  time.Time
}

// identity names a version in results.
func identity(etag, id string) string { return etag + " " + id }

// begin notes content that the key may hold from now on.
func (o *object) begin(etag string, c *content) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if etag != "" {
		o.byETag[etag] = c
	}
	for alg, v := range c.sums {
		o.sums[alg+" "+v] = true
	}
}

// done notes the outcome of a change. Nil: the object is gone.
func (o *object) done(what string, v *version) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.place.versioned {
		o.versions = nil
	}
	if v != nil {
		o.versions = append(o.versions, *v)
		if v.content != nil {
			o.byETag[v.etag] = v.content
			o.ids[v.id] = v.etag
		}
	}
	o.changed = time.Now()
	o.note(what)
}

// undone notes that the current version was deleted, so that an older one is current.
func (o *object) undone() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.versions = o.versions[:len(o.versions)-1]
	o.changed = time.Now()
	o.note("delete version")
}

// note adds a line to the history. The caller holds o.mu.
func (o *object) note(what string) {
	o.history = append(o.history, time.Now().Format("15:04:05.000 ")+what+" → "+describe(o.currentLocked()))
	if len(o.history) > 12 {
		o.history = slices.Delete(o.history, 0, 1)
	}
}

func describe(v *version) string {
	if v == nil {
		return "gone"
	}
	return fmt.Sprintf("etag %s version %s size %d", v.etag, v.id, v.content.size)
}

// current returns the current version; nil if there is no object.
func (o *object) current() *version {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.currentLocked()
}

func (o *object) currentLocked() *version {
	if n := len(o.versions); n > 0 && !o.versions[n-1].marker {
		return &o.versions[n-1]
	}
	return nil
}

func (o *object) String() string { return o.place.name + "/" + o.key }

// told returns what the users did last with the key.
func (o *object) story() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return "\n    " + strings.Join(o.history, "\n    ")
}

// wrong explains why a record, or a result, is wrong for the version it names; empty if it is
// right. It says nothing about whether that version is current.
func (o *object) wrong(r *record, alg string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.sums[alg+" "+r.value] {
		return fmt.Sprintf("%s %s is of no content that the key has ever had", alg, r.value)
	}
	if !o.place.namesVersions {
		return ""
	}
	c := o.byETag[r.etag]
	switch {
	case c == nil:
		return fmt.Sprintf("it names ETag %q, which the key has never had", r.etag)
	case c.sums[alg] != r.value:
		return fmt.Sprintf("%s is %s, the content of ETag %s has %s", alg, r.value, r.etag, c.sums[alg])
	case r.size >= 0 && r.size != int64(c.size):
		return fmt.Sprintf("size is %d, the content of ETag %s has %d", r.size, r.etag, c.size)
	}
	if etag, ok := o.ids[r.version]; ok && r.version != "" && etag != r.etag {
		return fmt.Sprintf("it names version %s with ETag %s, which has %s", r.version, r.etag, etag)
	}
	return ""
}

// announced notes a result.
func (o *object) announced(etag, id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told[identity(etag, id)] = true
}

func (o *object) wasAnnounced(v *version) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.told[identity(v.etag, v.id)]
}

// record is a record as it is stored.
type record struct {
	value, etag, version string
	size                 int64 // -1: unknown
	raw                  string
}
