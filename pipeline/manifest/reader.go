package manifest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Form says how a list is written.
type Form string

// The forms.
const (
	Sums     Form = "checksum lines"   // as md5sum and its relatives print them
	BagIt    Form = "BagIt manifest"   // RFC 8493, section 2.1.3; also a tag manifest
	Hashdeep Form = "hashdeep list"    // version 1.0
	OCFL     Form = "OCFL inventory"   // versions 1.0 and 1.1
	Copyrite Form = "copyrite .sums"   // JSON for one object
	Rows     Form = "bucketsum's rows" // JSON lines as [sweep.Row] has them
)

// Options say how to read a list. The zero value takes everything from its content.
type Options struct {
	// Name is the path or key of the list. Names as manifest-md5.txt, SHA256SUMS and a.bam.sums say what a list is.
	Name string
	// Algorithms are those that the user chose. Checksums of others are left out. Empty: all.
	Algorithms []string
	// Logical: of an OCFL inventory, yield also the logical paths of its newest version, with Entry.Logical.
	Logical bool
}

// Entry is what a list says about one name. Several entries may have one name.
type Entry struct {
	Line      int               // of the list, from 1
	Name      string            // as in the list, without its escapes and without ./ before it
	Checksums map[string]string // by algorithm, as package digest prints them; at least one
	Size      int64             // bytes, or pipeline.UnknownSize
	// Logical: in an OCFL inventory, the name is that of a file in its newest version, not of the file that has the content.
	Logical bool
}

// LineError says why a line of a list has no entry.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

func (e *LineError) Unwrap() error { return e.Err }

// Reader reads one list. It is not safe for concurrent use.
type Reader struct {
	in     *bufio.Reader
	o      Options
	form   Form
	named  string // the algorithm that the name of the list tells; or empty
	notes  []string
	others map[string]int // checksums that were left out, by algorithm
}

// NewReader recognises the form of a list by its beginning and its name. Errors: ErrRead; a JSON document of an unknown form;
// a BagIt manifest of an unknown algorithm.
func NewReader(r io.Reader, o Options) (*Reader, error) {
	l := &Reader{in: text(r), o: o, others: make(map[string]int)}
	beginning, err := l.in.Peek(sniff)
	if err != nil && err != io.EOF {
		return nil, &readError{err}
	}
	name := path.Base(o.Name)
	if l.form, err = recognise(beginning, name); err != nil {
		return nil, err
	}
	l.named = algorithmOf(l.form, name)
	if l.form == BagIt && l.named == "" {
		return nil, fmt.Errorf("a BagIt manifest of an algorithm that is none of %s", strings.Join(digest.Names(), ", "))
	}
	return l, nil
}

// sniff is how much of a list decides its form, in bytes.
const sniff = 16 << 10

var bagName = regexp.MustCompile(`(?i)(?:^|[^a-z0-9])(?:tag)?manifest-([a-z0-9]+)\.txt$`)

func recognise(beginning []byte, name string) (Form, error) {
	trimmed := strings.TrimLeft(string(beginning), " \t\r\n")
	switch {
	case strings.HasPrefix(trimmed, "%%%% HASHDEEP-"):
		return Hashdeep, nil
	case strings.HasPrefix(trimmed, "{"):
		return recogniseJSON(trimmed, name)
	case bagName.MatchString(name):
		return BagIt, nil
	}
	return Sums, nil
}

var (
	ofRow       = regexp.MustCompile(`^\{\s*"bucket"\s*:\s*"[^"]*"\s*,\s*"key"\s*:`)
	ofInventory = regexp.MustCompile(`"(?:digestAlgorithm|contentDirectory|manifest)"\s*:`)
)

func recogniseJSON(beginning, name string) (Form, error) {
	switch {
	case ofRow.MatchString(beginning):
		return Rows, nil
	case ofInventory.MatchString(beginning):
		return OCFL, nil
	case strings.HasSuffix(name, sumsEnding):
		return Copyrite, nil
	}
	return "", errors.New("it is JSON, but neither an OCFL inventory, nor a .sums file of copyrite, nor rows of this program")
}

// confusable are algorithms that are not known here, and whose values look like those of one that is.
var confusable = []string{"b2", "blake2", "blake2b", "blake2s", "sha3", "sm3", "crc32", "crc64", "xxh64"}

// algorithmOf returns the algorithm that the name of a list tells, as manifest-md5.txt, SHA256SUMS, md5sums.txt and
// photos.sha1 do.
func algorithmOf(f Form, name string) string {
	name = strings.ToLower(name)
	if f == BagIt {
		return known(bagName.FindStringSubmatch(name)[1])
	}
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		word = strings.TrimSuffix(strings.TrimSuffix(word, "s"), "sum")
		if word == "b3" {
			word = "blake3"
		}
		if a := known(word); a != "" {
			return a
		}
		if slices.Contains(confusable, word) {
			return word
		}
	}
	return ""
}

// known returns the name that package digest has for an algorithm of records, which other programs may name
// otherwise, or an empty string.
func known(name string) string {
	name = strings.ToLower(name)
	if name == "xxhash3" { // copyrite
		name = "xxh3"
	}
	if !digest.Recorded(name) {
		return ""
	}
	return name
}

// Form returns the form of the list.
func (r *Reader) Form() Form { return r.form }

// Notes returns what the user should know about the entries that were read so far: assumptions, and what was left out. Each is one
// sentence without a full stop.
func (r *Reader) Notes() []string {
	notes := slices.Clone(r.notes)
	for _, name := range slices.Sorted(maps.Keys(r.others)) {
		notes = append(notes, fmt.Sprintf("checksums of %s were left out: %d", name, r.others[name]))
	}
	return notes
}

// note adds a note once.
func (r *Reader) note(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(r.notes, s) {
		r.notes = append(r.notes, s)
	}
}

// Entries yields the entries of the list in its order; it can be ranged over once. A [LineError] stands for a line, or a part of a
// JSON document, that has no entry; the rest follows. Any other error is the last: see [ErrRead].
func (r *Reader) Entries() iter.Seq2[Entry, error] {
	switch r.form {
	case BagIt:
		return r.each(r.bagLine)
	case Hashdeep:
		return r.each((&hashdeepReader{Reader: r}).line)
	case OCFL:
		return r.inventory
	case Copyrite:
		return r.copyrite
	case Rows:
		return r.each(r.row)
	}
	return r.each((&sumsReader{Reader: r}).line)
}

// each yields what parse makes of each line. parse returns false for a line that needs no entry.
func (r *Reader) each(parse func(string) (Entry, bool, error)) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		number := 0
		for line, err := range lines(r.in) {
			number++
			if errors.Is(err, ErrRead) {
				yield(Entry{}, err)
				return
			}
			var e Entry
			ok := true
			if err == nil {
				e, ok, err = parse(line)
			}
			switch {
			case err != nil:
				err = &LineError{Line: number, Err: err}
			case !ok:
				continue
			}
			e.Line = number
			if !yield(e, err) {
				return
			}
		}
	}
}
