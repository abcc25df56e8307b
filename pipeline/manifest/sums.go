package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// sumsReader reads the lines of md5sum and its relatives.
type sumsReader struct {
	*Reader
	parser digest.Parser
}

// line reads one line. Like md5sum -c it skips comments.
func (r *sumsReader) line(s string) (Entry, bool, error) {
	if strings.HasPrefix(s, "#") || strings.TrimSuffix(s, "\r") == "" {
		return Entry{}, false, nil
	}
	line, err := r.parser.Parse(s)
	if err != nil {
		return Entry{}, false, err
	}
	algorithm := line.Algorithm
	if algorithm == "" {
		if algorithm, err = r.untagged(line.Value); err != nil {
			return Entry{}, false, err
		}
	}
	return r.entry(relative(line.Name), pipeline.UnknownSize, algorithm, line.Value)
}

// relative returns a name without the ./ that find and hashdeep put before it, and that no key begins with.
func relative(name string) string {
	for {
		cut, ok := strings.CutPrefix(name, "./")
		if !ok || cut == "" {
			return name
		}
		name = cut
	}
}

// untagged returns the algorithm of a value without a tag.
func (r *Reader) untagged(value string) (string, error) {
	fitting := slices.DeleteFunc(digest.Names(), func(a string) bool { return !digest.Valid(a, value) })
	switch {
	case len(r.o.Algorithms) > 0:
		chosen := slices.DeleteFunc(slices.Clone(fitting), func(a string) bool { return !slices.Contains(r.o.Algorithms, a) })
		if len(chosen) == 1 {
			return chosen[0], nil
		}
		if len(chosen) == 0 {
			return "", fmt.Errorf("no algorithm of --algorithms has values of %d digits; of that length are those of %s", len(value), strings.Join(fitting, ", "))
		}
	case slices.Contains(fitting, r.named):
		return r.named, nil
	case slices.Contains(confusable, r.named):
		return "", fmt.Errorf("the name of the list says %s, which is none of %s; if it is one of these, name it with --algorithms", r.named, strings.Join(digest.Names(), ", "))
	case len(fitting) == 1 && len(value) > 8: // 8 digits are more often those of a CRC-32, which is not known here
		return fitting[0], nil
	case slices.Contains(fitting, "sha256"):
		r.note("values of %d digits were taken for sha256; if they are of blake3, say so with --algorithms blake3", len(value))
		return "sha256", nil
	}
	return "", fmt.Errorf("a value of %d digits may be of %s; name one with --algorithms", len(value), strings.Join(fitting, " or "))
}

// entry returns an entry of one checksum. It is not ok if the user did not choose the algorithm.
func (r *Reader) entry(name string, size int64, algorithm, value string) (Entry, bool, error) {
	e := Entry{Name: name, Size: size, Checksums: make(map[string]string, 1)}
	err := r.add(&e, algorithm, value)
	return e, len(e.Checksums) > 0, err
}

// add adds a checksum to an entry unless its algorithm is unknown, or not among those that the user chose.
func (r *Reader) add(e *Entry, algorithm, value string) error {
	a, value := known(algorithm), strings.ToLower(value)
	switch {
	case a == "" || len(r.o.Algorithms) > 0 && !slices.Contains(r.o.Algorithms, a):
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

func (r *Reader) leaveOut(algorithm string) {
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
	name = bagUnescaper.Replace(relative(name))
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
	name := relative(values[len(values)-1])
	if name == "" {
		return Entry{}, false, errors.New("there is no name")
	}
	e := Entry{Name: name, Size: size, Checksums: make(map[string]string, len(values)-2)}
	for i, column := range r.columns[1 : len(values)-1] {
		if err := r.add(&e, column, values[i+1]); err != nil {
			return Entry{}, false, err
		}
	}
	return e, len(e.Checksums) > 0, nil
}
