package manifest

import (
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// sumsReader reads the lines of md5sum and its relatives.
type sumsReader struct {
	*Reader
	parser digest.Parser
}

// line reads one line. Like md5sum -c it skips comments. A line that cannot be used does not decide the separator.
func (r *sumsReader) line(s string) (e Entry, ok bool, err error) {
	if strings.HasPrefix(s, "#") || strings.TrimSuffix(s, "\r") == "" {
		return Entry{}, false, nil
	}
	before := r.parser
	defer func() {
		if err != nil {
			r.parser = before
		}
	}()
	line, err := r.parser.Parse(s)
	if err != nil {
		return Entry{}, false, err
	}
	algorithm := line.Algorithm
	if algorithm == "" {
		if len(line.Value) == crcDigits && !crcLine.MatchString(s) && len(r.o.Algorithms) == 0 {
			return Entry{}, false, errors.New("a value of 8 digits needs two spaces before the name, because it may be a word or a date")
		}
		if algorithm, err = r.untagged(line.Value); err != nil {
			return Entry{}, false, err
		}
	}
	return r.entry(r.relative(line.Name), pipeline.UnknownSize, algorithm, line.Value)
}

// crcDigits is how many digits a CRC-32 has.
const crcDigits = 2 * crc32.Size

var crcLine = regexp.MustCompile(`^[ \t]*\\?[0-9A-Fa-f]{8} [ *]`)

// relative returns a name without the ./ that find and hashdeep put before it, unless names are those of files.
func (r *Reader) relative(name string) string {
	for !r.o.Paths {
		cut, ok := strings.CutPrefix(name, "./")
		if !ok || cut == "" {
			break
		}
		name = cut
	}
	return name
}

// cutSFV splits a line of an SFV list into a name and its CRC-32.
func cutSFV(s string) (name, value string, ok bool) {
	s = strings.TrimRight(s, " \t")
	end := strings.LastIndexAny(s, " \t")
	if end < 0 {
		return "", "", false
	}
	name, value = strings.TrimRight(s[:end], " \t"), s[end+1:]
	return name, value, name != "" && digest.Valid("crc32", strings.ToLower(value))
}

// isSFV reports whether all lines of the beginning of a list, but comments, are of an SFV list and none is of md5sum. The last one may
// be cut.
func isSFV(beginning string) bool {
	found := false
	for line := range strings.Lines(beginning) {
		whole := strings.HasSuffix(line, "\n")
		line = strings.TrimRight(line, space)
		if line == "" || line[0] == ';' || line[0] == '#' || found && !whole {
			continue
		}
		if _, _, ok := cutSFV(line); !ok {
			return false
		}
		_, err := digest.ParseLine(line)
		if _, unknown := errors.AsType[digest.UnknownError](err); err == nil || unknown {
			return false
		}
		found = true
	}
	return found
}

// sfvLine reads a line of an SFV list: a name and its CRC-32. Comments begin with a semicolon.
func (r *Reader) sfvLine(s string) (Entry, bool, error) {
	s = strings.TrimSuffix(s, "\r")
	if strings.HasPrefix(s, ";") || s == "" {
		return Entry{}, false, nil
	}
	name, value, ok := cutSFV(s)
	if !ok {
		return Entry{}, false, errors.New("expected a name and 8 hexadecimal digits")
	}
	return r.entry(r.relative(name), pipeline.UnknownSize, "crc32", value)
}

// entry returns an entry of one checksum.
func (r *Reader) entry(name string, size int64, algorithm, value string) (Entry, bool, error) {
	e := Entry{Name: name, Size: size, Checksums: make(map[string]string, 1)}
	return r.whole(e, algorithm, r.add(&e, algorithm, value))
}

// whole returns an entry to which all checksums of these algorithms were added.
func (r *Reader) whole(e Entry, algorithms string, err error) (Entry, bool, error) {
	if err == nil && len(e.Checksums) == 0 {
		err = &leftOutError{algorithms, r.known(algorithms) != ""}
	}
	return e, err == nil, err
}

// leftOutError wraps [ErrLeftOut].
type leftOutError struct {
	algorithms string
	known      bool
}

func (e *leftOutError) Error() string {
	if e.known {
		return e.algorithms + " is not one of --algorithms"
	}
	return fmt.Sprintf("%.100q is not known, or not one of --algorithms", e.algorithms)
}

func (e *leftOutError) Unwrap() error { return ErrLeftOut }

// add adds a checksum to an entry unless its algorithm is unknown, or not among those that the user chose.
func (r *Reader) add(e *Entry, algorithm, value string) error {
	a, value := r.known(algorithm), strings.ToLower(value)
	switch {
	case a == "" || !r.isChosen(a):
		r.leaveOut(algorithm)
	case !digest.Valid(a, value):
		return fmt.Errorf("expected %d hexadecimal digits for %s", 2*digest.Size(a), a)
	default:
		e.Checksums[a] = value
	}
	return nil
}

// mostOthers bounds how many names of algorithms are counted, which in JSON come from the list.
const mostOthers = 20

// mostName bounds how much of such a name is shown, in bytes.
const mostName = 40

func (r *Reader) leaveOut(algorithm string) {
	if len(algorithm) > mostName {
		algorithm = algorithm[:mostName] + "…"
	}
	algorithm = readable.Name(algorithm)
	if _, ok := r.others[algorithm]; ok || len(r.others) < mostOthers {
		r.others[algorithm]++
	}
}

// bagLine reads a line of a BagIt manifest: RFC 8493, section 2.1.3.
func (r *Reader) bagLine(s string) (Entry, bool, error) {
	s = strings.TrimSuffix(s, "\r")
	if s == "" {
		return Entry{}, false, nil
	}
	end := strings.IndexAny(s, " \t")
	if end < 0 {
		return Entry{}, false, errors.New("expected a value, spaces and a name")
	}
	// Programs that print binary lines as md5sum does put an asterisk there, which no name in a bag begins with.
	name := strings.TrimPrefix(strings.TrimLeft(s[end:], " \t"), "*")
	name = bagUnescaper.Replace(r.relative(name))
	if name == "" {
		return Entry{}, false, errors.New("there is no name")
	}
	if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "~") || slices.Contains(strings.Split(name, "/"), "..") {
		return Entry{}, false, errors.New("the name leads out of the bag")
	}
	return r.entry(name, pipeline.UnknownSize, r.named, s[:end])
}

// Only these are encoded. Bags from before version 1.0 have other percent signs as they stand.
var bagUnescaper = strings.NewReplacer("%0A", "\n", "%0a", "\n", "%0D", "\r", "%0d", "\r", "%25", "%")

// hashdeepReader reads what hashdeep 1.0 prints: a header, the names of the columns, comments, and rows of values
// separated by commas, whose last one is the name.
type hashdeepReader struct {
	*Reader
	columns []string
}

func (r *hashdeepReader) line(s string) (Entry, bool, error) {
	s = strings.TrimSuffix(s, "\r")
	if header, ok := strings.CutPrefix(s, "%%%% "); ok {
		if strings.HasPrefix(header, "HASHDEEP-") {
			return Entry{}, false, nil
		}
		columns := strings.Split(header, ",")
		if len(columns) < 3 || columns[0] != "size" || columns[len(columns)-1] != "filename" {
			r.columns = nil
			return Entry{}, false, errors.New("expected columns from size to filename")
		}
		r.columns = columns
		return Entry{}, false, nil
	}
	if s == "" || strings.HasPrefix(s, "#") {
		return Entry{}, false, nil
	}
	if r.columns == nil {
		return Entry{}, false, errors.New("the header does not name the columns")
	}
	values := strings.SplitN(s, ",", len(r.columns))
	if len(values) < len(r.columns) {
		return Entry{}, false, fmt.Errorf("expected %d values", len(r.columns))
	}
	size, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || size < 0 {
		return Entry{}, false, errors.New("the size is not a number")
	}
	name := r.relative(values[len(values)-1])
	if name == "" {
		return Entry{}, false, errors.New("there is no name")
	}
	e := Entry{Name: name, Size: size, Checksums: make(map[string]string, len(values)-2)}
	for i, column := range r.columns[1 : len(values)-1] {
		if err := r.add(&e, column, values[i+1]); err != nil {
			return Entry{}, false, err
		}
	}
	return r.whole(e, strings.Join(r.columns[1:len(values)-1], ","), nil)
}
