package manifest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Format says how a manifest is written.
type Format string

// The formats that are not named after a tool such as md5sum.
const (
	FormatBSD      Format = "bsd"      // a tagged line for each algorithm, as md5sum --tag prints them
	FormatHashdeep Format = "hashdeep" // version 1.0
	FormatBagIt    Format = "bagit"    // a [Bag]
	FormatJSON     Format = "json"     // rows of this program; this package only reads them
)

// tools print lines without a tag.
var tools = []struct{ name, algorithm string }{
	{"md5sum", "md5"}, {"sha1sum", "sha1"}, {"sha256sum", "sha256"}, {"sha512sum", "sha512"}, {"b3sum", "blake3"},
}

// Formats returns the names of all formats: those of tools that check a list first.
func Formats() []Format {
	var all []Format
	for _, t := range tools {
		all = append(all, Format(t.name))
	}
	return append(all, FormatBSD, FormatHashdeep, FormatBagIt, FormatJSON)
}

// Algorithm returns the only algorithm of a format; empty if it has no fixed one.
func (f Format) Algorithm() string {
	for _, t := range tools {
		if string(f) == t.name {
			return t.algorithm
		}
	}
	return ""
}

// readers are the algorithms that programs which read a format know.
var readers = map[Format][]string{
	FormatHashdeep: {"md5", "sha1", "sha256"},
	FormatBagIt:    {"md5", "sha1", "sha256", "sha512"}, // those of RFC 8493, section 2.4
}

// Validate returns why a manifest of that format cannot have these algorithms.
func (f Format) Validate(algorithms []string) error {
	switch only := f.Algorithm(); {
	case !slices.Contains(Formats(), f):
		return fmt.Errorf("unknown format %.40q; valid are %s", f, join(Formats()))
	case len(algorithms) == 0:
		return errors.New("a manifest needs an algorithm")
	case only != "" && !slices.Equal(algorithms, []string{only}):
		return fmt.Errorf("a manifest of the format %s has only %s, not %s; bsd and json can have any", f, only, strings.Join(algorithms, ", "))
	}
	for _, a := range algorithms {
		if known := readers[f]; known != nil && !slices.Contains(known, a) {
			return fmt.Errorf("programs that read %s know only %s, not %s", f, strings.Join(known, ", "), a)
		}
	}
	return nil
}

func join(formats []Format) string {
	var names []string
	for _, f := range formats {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// ErrName is wrapped by the error for an entry whose name a format cannot hold. The manifest lacks that entry and is
// otherwise whole.
var ErrName = errors.New("the manifest cannot hold this name")

// Writer writes a manifest as a stream, in the order of its entries. Not safe for concurrent use.
type Writer struct {
	w          *bufio.Writer
	algorithms []string
	write      func(e Entry) error
}

// NewWriter returns a writer of a format for which [Format.Validate] allows the algorithms, but not of FormatBagIt and
// FormatJSON.
// Close does not close w.
func NewWriter(w io.Writer, f Format, algorithms []string) (*Writer, error) {
	if err := f.Validate(algorithms); err != nil {
		return nil, err
	}
	m := &Writer{w: bufio.NewWriterSize(w, 64<<10), algorithms: algorithms}
	switch {
	case f.Algorithm() != "":
		m.write = m.line
	case f == FormatBSD:
		m.write = m.tagged
	case f == FormatHashdeep:
		m.algorithms = slices.DeleteFunc(slices.Clone(readers[f]), func(a string) bool { return !slices.Contains(algorithms, a) })
		m.write = m.hashdeep
		fmt.Fprintf(m.w, "%%%%%%%% HASHDEEP-1.0\n%%%%%%%% size,%s,filename\n", strings.Join(m.algorithms, ",")) // Close has its error
	default:
		return nil, fmt.Errorf("the format %s is not written as a stream of lines", f)
	}
	return m, nil
}

// Write adds an entry, which has at least the algorithms of the manifest. An error other than ErrName is final.
func (m *Writer) Write(e Entry) error {
	if err := complete(e, m.algorithms); err != nil {
		return err
	}
	if strings.HasPrefix(e.Name, "/") {
		e.Name = "./" + e.Name // the tools would look at the root of the file system
	}
	return m.write(e)
}

// Close writes what is buffered.
func (m *Writer) Close() error { return m.w.Flush() }

// complete returns what is wrong with an entry in every format.
func complete(e Entry, algorithms []string) error {
	if e.Name == "" || strings.ContainsRune(e.Name, 0) {
		return fmt.Errorf("%w: no file has it", ErrName)
	}
	for _, a := range algorithms {
		if !digest.Valid(a, e.Checksums[a]) {
			return fmt.Errorf("%q is no value of %s", e.Checksums[a], a)
		}
	}
	return nil
}

func (m *Writer) line(e Entry) error {
	_, err := m.w.WriteString(digest.FormatLine(e.Checksums[m.algorithms[0]], e.Name))
	return err
}

func (m *Writer) tagged(e Entry) error {
	for _, a := range m.algorithms {
		if _, err := m.w.WriteString(digest.FormatTag(a, e.Checksums[a], e.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (m *Writer) hashdeep(e Entry) error {
	if strings.ContainsAny(e.Name, "\n\r") {
		return fmt.Errorf("%w: hashdeep does not escape line ends", ErrName)
	}
	if e.Size < 0 {
		return errors.New("hashdeep needs the size")
	}
	line := strconv.AppendInt(m.w.AvailableBuffer(), e.Size, 10)
	for _, a := range m.algorithms {
		line = append(append(line, ','), e.Checksums[a]...)
	}
	line = append(line, ",./"...) // as hashdeep -r -l names the files of a folder
	line = append(append(line, strings.TrimPrefix(e.Name, "./")...), '\n')
	_, err := m.w.Write(line)
	return err
}
