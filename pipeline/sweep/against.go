package sweep

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// algorithms are the names of all algorithms. Entries have their indexes.
var algorithms = digest.Names()

// Comparison compares the rows of a bucket, whose checksums were computed from the content, with a list. First the list is
// added, then each row is compared, then Rest has what is decided at the end. The zero value is an empty list. Not safe for
// concurrent use.
//
// An entry of the list takes about 60 bytes more than its name and digests. A row that may be that of a renamed object is kept
// until the end, in about 330 bytes; there are never more of them than entries. BenchmarkComparison measures both.
type Comparison struct {
	entries  []entry // in the order of their names, once ready
	contents []content
	held     map[int][]heldRow // by content: objects that are not listed under their name
	seed     maphash.Seed
	ready    bool
}

// entry is a name of the list.
type entry struct {
	data string // the name, then for each checksum the number of its algorithm and its bytes
	size int64  // negative: not known
	name uint32 // length
	seen bool   // an object has this name
}

func (e *entry) Name() string { return e.data[:e.name] }

// sums yields the checksums: numbers of algorithms and digests.
func (e *entry) sums() iter.Seq2[byte, string] {
	return func(yield func(byte, string) bool) {
		for rest := e.data[e.name:]; rest != ""; {
			size := digest.Size(algorithms[rest[0]])
			if !yield(rest[0], rest[1:1+size]) {
				return
			}
			rest = rest[1+size:]
		}
	}
}

// content is what entries with the same strongest checksum share.
type content struct {
	hash   uint64
	unseen uint32 // entries whose name was not seen yet
}

// strong is how many bytes a digest has that finds renamed objects. Values of CRC32C are equal by chance.
const strong = 8

// heldRow is a row in JSON, which takes less memory.
type heldRow []byte

// Add adds what the list says about a name: checksums by algorithm as package digest prints them, in lower or upper
// case, and the size in bytes, or a negative number. A name may be added several times, with the same or with other algorithms.
// Contradicting entries match no content.
func (c *Comparison) Add(name string, size int64, checksums map[string]string) error {
	data := []byte(name)
	for _, algorithm := range slices.Sorted(maps.Keys(checksums)) {
		value := strings.ToLower(checksums[algorithm])
		number := slices.Index(algorithms, algorithm)
		if number < 0 || !digest.Valid(algorithm, value) {
			return fmt.Errorf("%q is no value of %s", checksums[algorithm], algorithm)
		}
		data = append(data, byte(number))
		data, _ = hex.AppendDecode(data, []byte(value)) // it is valid
	}
	if len(data) == len(name) {
		return errors.New("the entry has no checksum")
	}
	c.entries = append(c.entries, entry{data: string(data), size: max(size, -1), name: uint32(len(name))})
	c.ready = false
	return nil
}

// Len returns the number of names, once all entries are added.
func (c *Comparison) Len() int {
	c.prepare()
	return len(c.entries)
}

// Algorithms returns those that are needed to compare every entry, in the order of [digest.Names].
func (c *Comparison) Algorithms() []string {
	var used [256]bool
	for i := range c.entries {
		for algorithm := range c.entries[i].sums() {
			used[algorithm] = true
		}
	}
	var all []string
	for i, name := range algorithms {
		if used[i] {
			all = append(all, name)
		}
	}
	return all
}

// prepare sorts the entries, joins those of one name, and counts contents.
func (c *Comparison) prepare() {
	if c.ready {
		return
	}
	c.ready, c.seed, c.held = true, maphash.MakeSeed(), make(map[int][]heldRow)
	slices.SortStableFunc(c.entries, func(a, b entry) int { return strings.Compare(a.Name(), b.Name()) })
	kept := c.entries[:0]
	for _, e := range c.entries {
		if last := len(kept) - 1; last >= 0 && kept[last].Name() == e.Name() {
			kept[last].join(e)
			continue
		}
		kept = append(kept, e)
	}
	clear(c.entries[len(kept):])
	c.entries = kept

	c.contents = make([]content, 0, len(kept))
	for i := range kept {
		if hash, ok := c.strongest(&kept[i]); ok {
			c.contents = append(c.contents, content{hash, 1})
		}
	}
	slices.SortFunc(c.contents, func(a, b content) int { return cmp.Compare(a.hash, b.hash) })
	distinct := c.contents[:0]
	for _, one := range c.contents {
		if last := len(distinct) - 1; last >= 0 && distinct[last].hash == one.hash {
			distinct[last].unseen++
			continue
		}
		distinct = append(distinct, one)
	}
	c.contents = distinct
}

// join adds the checksums of another entry of the same name that are not there yet.
func (e *entry) join(other entry) {
	for algorithm, value := range other.sums() {
		known := false
		for a, v := range e.sums() {
			known = known || a == algorithm && v == value
		}
		if !known {
			e.data += string([]byte{algorithm}) + value
		}
	}
	if e.size < 0 {
		e.size = other.size
	}
}

// strongest returns the hash of the longest checksum of an entry. It is not ok if none can find renamed objects.
func (c *Comparison) strongest(e *entry) (hash uint64, ok bool) {
	longest := strong - 1
	for algorithm, value := range e.sums() {
		if len(value) > longest {
			longest, hash, ok = len(value), c.hash(algorithm, value), true
		}
	}
	return hash, ok
}

func (c *Comparison) hash(algorithm byte, value string) uint64 {
	return maphash.Comparable(c.seed, struct {
		algorithm byte
		value     string
	}{algorithm, value})
}

// Compare returns a row with the state that follows from the list: OK, Mismatch or New. It is not ok if the
// row has to wait for Rest, because it may be Moved. Rows that are not OK stay as they are: their content was not read,
// or is wrong in itself.
func (c *Comparison) Compare(r Row) (Row, bool) {
	c.prepare()
	i, listed := slices.BinarySearchFunc(c.entries, r.Key, func(e entry, key string) int { return strings.Compare(e.Name(), key) })
	if listed && r.State != Orphan {
		c.see(&c.entries[i])
		if r.State == OK {
			c.entries[i].compare(&r)
		}
		return r, true
	}
	if r.State != OK {
		return r, true
	}
	if c.hold(r) {
		return Row{}, false
	}
	r.State = New
	return r, true
}

func (c *Comparison) see(e *entry) {
	if e.seen {
		return
	}
	e.seen = true
	if hash, ok := c.strongest(e); ok {
		if at, ok := c.find(hash); ok {
			c.contents[at].unseen--
		}
	}
}

func (c *Comparison) find(hash uint64) (int, bool) {
	return slices.BinarySearchFunc(c.contents, hash, func(one content, hash uint64) int { return cmp.Compare(one.hash, hash) })
}

// hold keeps a row whose content is listed under names that were not seen yet, if so many rows are not kept already.
func (c *Comparison) hold(r Row) bool {
	for i, algorithm := range algorithms {
		value, err := hex.DecodeString(r.Checksums[algorithm])
		if err != nil || len(value) < strong {
			continue
		}
		at, ok := c.find(c.hash(byte(i), string(value)))
		if !ok || int(c.contents[at].unseen) <= len(c.held[at]) {
			continue
		}
		row, err := json.Marshal(r)
		if err != nil {
			return false
		}
		c.held[at] = append(c.held[at], row)
		return true
	}
	return false
}

// compare sets the state of a row of the entry's name.
func (e *entry) compare(r *Row) {
	compared := 0
	for algorithm, value := range e.sums() {
		name := algorithms[algorithm]
		found := r.Checksums[name]
		if found == "" {
			continue
		}
		compared++
		if listed := hex.EncodeToString([]byte(value)); !strings.EqualFold(found, listed) {
			if r.Expected == nil {
				r.Expected = make(map[string]string)
			}
			if other := r.Expected[name]; other != "" {
				r.Reason = "the list has several values of " + name + " for this name"
			}
			r.Expected[name] = listed
			r.State = Mismatch
		}
	}
	switch {
	case compared == 0:
		r.State, r.Reason = Unreadable, "none of the algorithms of its entry in the list was computed: "+strings.Join(e.names(), ", ")
	case r.State == OK && e.size >= 0 && r.Size != nil && *r.Size != e.size:
		r.State, r.Reason = Mismatch, fmt.Sprintf("the list says %d bytes", e.size)
	}
}

func (e *entry) names() []string {
	var all []string
	for algorithm := range e.sums() {
		all = append(all, algorithms[algorithm])
	}
	return all
}

// Rest yields what is decided when all rows are compared: in the order of the list's names those that no object has, as
// Moved where an object with their content has another name that is not listed, else as Missing; then rows that had
// to wait, and are New. It must not be called for a pass that ended early.
func (c *Comparison) Rest(bucket string) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		c.prepare()
		for i := range c.entries {
			e := &c.entries[i]
			if e.seen {
				continue
			}
			r, moved := c.moved(e)
			if !moved {
				r = e.missing(bucket)
			}
			if !yield(r) {
				return
			}
		}
		for _, at := range slices.Sorted(maps.Keys(c.held)) {
			for _, h := range c.held[at] {
				r := h.decode()
				r.State = New
				if !yield(r) {
					return
				}
			}
		}
		c.held = nil
	}
}

// moved takes the first kept row that has the content of an entry.
func (c *Comparison) moved(e *entry) (Row, bool) {
	hash, ok := c.strongest(e)
	at, found := c.find(hash)
	if !ok || !found {
		return Row{}, false
	}
	if len(c.held[at]) == 0 {
		return Row{}, false
	}
	r := c.held[at][0].decode()
	if e.compare(&r); r.State != OK { // another of its checksums differs
		return Row{}, false
	}
	r.State, r.From = Moved, e.Name()
	c.held[at] = c.held[at][1:]
	return r, true
}

func (e *entry) missing(bucket string) Row {
	r := Row{Bucket: bucket, Key: e.Name(), State: Missing, Expected: make(map[string]string)}
	for algorithm, value := range e.sums() {
		r.Expected[algorithms[algorithm]] = hex.EncodeToString([]byte(value))
	}
	if size := e.size; size >= 0 {
		r.Size = &size
	}
	return r
}

func (h heldRow) decode() (r Row) {
	_ = json.Unmarshal(h, &r) // it was encoded by hold
	return r
}
