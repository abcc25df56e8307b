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
	SFV      Form = "SFV list"         // a CRC-32 behind each name
	Hashes   Form = "PowerShell list"  // as Get-FileHash prints it: a list, a table or CSV
	Certutil Form = "certutil output"  // of certutil -hashfile
	Rows     Form = "bucketsum's rows" // JSON lines as [sweep.Row] has them
	Files    Form = "JSON of sum"      // JSON lines of bucketsum sum --format json
)

// Options say how to read a list. The zero value takes everything from its content.
type Options struct {
	// Name is the path or key of the list. Names as manifest-md5.txt, SHA256SUMS and a.bam.sums say what a list is.
	Name string
	// Algorithms are those that the user chose. Checksums of others are left out. Empty: all.
	Algorithms []string
	// Known are those that the caller can compute. Empty: [digest.Names].
	Known []string
	// Paths: names stay as they are in the list, because they are those of files. Otherwise ./ is cut off, because no key begins with it.
	Paths bool
	// Logical: of an OCFL inventory, yield also the logical paths of its newest version, with Entry.Logical.
	Logical bool
}

// Entry is what a list says about one name. Several entries may have one name.
type Entry struct {
	Line      int               // of the list, from 1
	Name      string            // as in the list, without its escapes
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

// ErrLeftOut is wrapped by the [LineError] of a line whose checksums are all of algorithms that are not known, or that the user did
// not choose. [Reader.Notes] count them.
var ErrLeftOut = errors.New("left out")

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
	if len(o.Known) == 0 {
		o.Known = digest.Names()
	}
	l := &Reader{in: text(r), o: o, others: make(map[string]int)}
	beginning, err := l.beginning()
	if err != nil {
		return nil, &readError{err}
	}
	if first, _, ok := strings.Cut(beginning, "\x00"); ok && lineBeforeNUL.MatchString(first) {
		return nil, errors.New("its lines end with NUL, as --zero prints them, and are not read: print the list without --zero")
	}
	name := path.Base(o.Name)
	if l.form, err = recognise(beginning, name); err != nil {
		return nil, err
	}
	l.named = algorithmOf(l.form, name)
	if l.form == BagIt && l.known(l.named) == "" {
		return nil, fmt.Errorf("a BagIt manifest of %s, which is not one of %s", l.named, strings.Join(o.Known, ", "))
	}
	return l, nil
}

// lineBeforeNUL matches a line with a checksum.
var lineBeforeNUL = regexp.MustCompile(`^([0-9A-Fa-f]{8,128} [ *]|[A-Za-z0-9/-]+ \()[^\n]+$`)

// sniff is how much of a list decides its form at most, in bytes.
const sniff = 16 << 10

// beginning returns the first line with content and what was read with it, because more may not have been written yet. Of JSON
// it returns more.
func (r *Reader) beginning() (string, error) {
	for most := 1; ; {
		b, err := r.in.Peek(most)
		if err != nil && err != io.EOF {
			return "", err
		}
		if err == nil {
			b, _ = r.in.Peek(min(r.in.Buffered(), sniff)) // they are there
		}
		s := string(b)
		if err != nil || len(s) == sniff || !strings.HasPrefix(strings.TrimLeft(s, space), "{") && strings.Contains(firstLine(s), "\n") {
			return s, nil
		}
		most = len(s) + 1
	}
}

const space = " \t\r\n"

// firstLine returns the first line that is not blank and no comment, with its newline.
func firstLine(s string) string {
	for line := range strings.Lines(s) {
		if trimmed := strings.TrimLeft(line, space); trimmed != "" && line[0] != '#' && line[0] != ';' {
			return line
		}
	}
	return ""
}

var bagName = regexp.MustCompile(`(?i)(?:^|[^a-z0-9])(?:tag)?manifest-([a-z0-9]+)\.txt$`)

func recognise(beginning, name string) (Form, error) {
	trimmed := strings.TrimLeft(beginning, space)
	switch {
	case strings.HasPrefix(trimmed, "%%%% HASHDEEP-"):
		return Hashdeep, nil
	case strings.HasPrefix(trimmed, "{"):
		return recogniseJSON(trimmed, name)
	case bagName.MatchString(name):
		return BagIt, nil
	case strings.HasSuffix(strings.ToLower(name), ".sfv"):
		return SFV, nil
	}
	switch line := strings.TrimRight(firstLine(beginning), space); {
	case hashesBegin.MatchString(line):
		return Hashes, nil
	case certutilHead.MatchString(line):
		return Certutil, nil
	case isSFV(beginning):
		return SFV, nil
	}
	return Sums, nil
}

var (
	ofFile      = regexp.MustCompile(`^\{\s*"name"\s*:\s*"`)
	ofRow       = regexp.MustCompile(`^\{\s*"bucket"\s*:\s*"[^"]*"\s*,\s*"key"\s*:`)
	ofInventory = regexp.MustCompile(`"(?:digestAlgorithm|contentDirectory|manifest)"\s*:`)
)

func recogniseJSON(beginning, name string) (Form, error) {
	switch {
	case ofRow.MatchString(beginning):
		return Rows, nil
	case ofFile.MatchString(beginning):
		return Files, nil
	case ofInventory.MatchString(beginning):
		return OCFL, nil
	case strings.HasSuffix(name, sumsEnding):
		return Copyrite, nil
	}
	return "", errors.New("it is JSON, but neither an OCFL inventory, nor a .sums file of copyrite, nor rows of this program")
}

// Beside reports whether the names of a form are relative to the folder of the list. Those of others are relative to the
// folder in which a program checks them.
func (f Form) Beside() bool { return f == BagIt || f == OCFL || f == Copyrite || f == SFV }

// Form returns the form of the list.
func (r *Reader) Form() Form { return r.form }

// Notes returns what the user should know about the entries that were read so far: assumptions, and what was left out. Each is one
// sentence without a full stop.
func (r *Reader) Notes() []string { return append(r.Assumptions(), r.LeftOut()...) }

// Assumptions are the part of Notes that tells which algorithms values were taken for. An object that matches proves it.
func (r *Reader) Assumptions() []string { return slices.Clone(r.notes) }

// LeftOut is the part of Notes that counts checksums of other algorithms.
func (r *Reader) LeftOut() []string {
	var notes []string
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
	case Files:
		return r.each(r.file)
	case SFV:
		return r.each(r.sfvLine)
	case Hashes:
		return r.each((&hashesReader{Reader: r}).line)
	case Certutil:
		return r.each((&certutilReader{Reader: r}).line)
	}
	anyLength := slices.ContainsFunc(r.o.Algorithms, func(a string) bool { return a == "blake2b" || strings.HasPrefix(a, blake2bPrefix) })
	return r.each((&sumsReader{Reader: r, parser: digest.Parser{AnyLength: anyLength}}).line)
}

// each yields what parse makes of each line, and of a blank one at the end, which ends an entry of several lines. parse returns
// false for a line that needs no entry.
func (r *Reader) each(parse func(string) (Entry, bool, error)) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		number := 0
		one := func(line string, err error) bool {
			var e Entry
			ok := true
			if err == nil {
				e, ok, err = parse(line)
			}
			switch {
			case err != nil:
				e, err = Entry{}, &LineError{Line: number, Err: err}
			case !ok:
				return true
			}
			e.Line = number
			return yield(e, err)
		}
		for line, err := range lines(r.in) {
			number++
			if errors.Is(err, ErrRead) {
				yield(Entry{}, err)
				return
			}
			if !one(line, err) {
				return
			}
		}
		one("", nil)
	}
}
