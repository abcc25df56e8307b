package manifest

import (
	"bytes"
	"encoding/csv"
	"errors"
	"regexp"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// hashesBegin is the first line of what Get-FileHash of PowerShell prints, through Format-List, Format-Table and Export-Csv.
var hashesBegin = regexp.MustCompile(`^(?:(?:Algorithm|Hash|Path)[ ]*:[ ]|Algorithm[ ]+Hash(?:[ ]+Path)?$|"?(?:Algorithm|Hash|Path)"?[,;\t]"?(?:Algorithm|Hash|Path)"?(?:[,;\t]|$))`)

// hashesReader reads what Get-FileHash prints.
type hashesReader struct {
	*Reader
	table     bool
	delimiter rune              // of CSV
	columns   []string          // of CSV
	found     map[string][]byte // properties of a list
	property  string            // of a list, that the next line may continue
}

var (
	hashesProperty = regexp.MustCompile(`^(Algorithm|Hash|Path)[ ]*:[ ](.*)$`)
	hashesRow      = regexp.MustCompile(`^([A-Za-z0-9]+)[ ]+([0-9A-Fa-f.…]+)(?:[ ]+(.*))?$`)
)

func (r *hashesReader) line(s string) (Entry, bool, error) {
	s = strings.TrimRight(s, "\r")
	switch {
	case strings.TrimSpace(s) == "":
		return r.end()
	case strings.HasPrefix(s, "#"), strings.HasPrefix(s, "---"):
		return Entry{}, false, nil
	case r.columns != nil:
		return r.row(s)
	case r.table:
		return r.tableRow(s)
	case r.found == nil && strings.HasPrefix(s, "Algorithm ") && !strings.Contains(s, ":"):
		r.table = true
		return Entry{}, false, nil
	case r.found == nil && !hashesProperty.MatchString(s) && hashesBegin.MatchString(s):
		return r.header(s)
	}
	return r.listed(s)
}

// listed reads a line of a list: a property, or what its value continues with.
func (r *hashesReader) listed(s string) (e Entry, ok bool, err error) {
	property := hashesProperty.FindStringSubmatch(s)
	if property == nil {
		if !strings.HasPrefix(s, " ") || r.found == nil {
			r.found = nil
			return Entry{}, false, errors.New("expected Algorithm, Hash or Path, a colon and a value")
		}
		value := append(append(r.found[r.property], '\n'), strings.TrimLeft(s, " ")...)
		if r.found[r.property] = value; len(value) > maxLine {
			r.found = nil
			return Entry{}, false, errLongLine
		}
		return Entry{}, false, nil
	}
	if _, again := r.found[property[1]]; again { // no blank line is between two entries
		e, ok, err = r.end()
	}
	if r.found == nil {
		r.found = map[string][]byte{}
	}
	r.property = property[1]
	r.found[property[1]] = []byte(property[2])
	return e, ok, err
}

// end ends an entry of a list.
func (r *hashesReader) end() (Entry, bool, error) {
	properties := r.found
	r.found, r.property = nil, ""
	if properties == nil {
		return Entry{}, false, nil
	}
	if bytes.Contains(properties["Path"], []byte("\n")) {
		return Entry{}, false, errors.New("the path is broken into lines, so that its spaces are lost; let PowerShell print it with Export-Csv")
	}
	return r.properties(string(properties["Algorithm"]), strings.ReplaceAll(string(properties["Hash"]), "\n", ""), string(properties["Path"]))
}

func (r *hashesReader) tableRow(s string) (Entry, bool, error) {
	row := hashesRow.FindStringSubmatch(s)
	if row == nil {
		return Entry{}, false, errors.New("expected an algorithm, a value and a path")
	}
	path := strings.TrimRight(row[3], " ")
	if path == "" || strings.HasSuffix(path, "...") || strings.HasSuffix(path, "…") || strings.ContainsAny(row[2], ".…") {
		return Entry{}, false, errors.New("the row is cut off; let PowerShell print it with Format-List or Export-Csv")
	}
	return r.properties(row[1], row[2], path)
}

// header reads the names of the columns of CSV.
func (r *hashesReader) header(s string) (Entry, bool, error) {
	r.delimiter = rune(s[strings.IndexAny(s, ",;\t")])
	columns, err := r.fields(s)
	r.columns = columns
	return Entry{}, false, err
}

func (r *hashesReader) row(s string) (Entry, bool, error) {
	fields, err := r.fields(s)
	if err != nil || len(fields) != len(r.columns) {
		return Entry{}, false, errors.New("expected as many values as columns")
	}
	values := make(map[string]string, len(fields))
	for i, column := range r.columns {
		values[column] = fields[i]
	}
	return r.properties(values["Algorithm"], values["Hash"], values["Path"])
}

func (r *hashesReader) fields(s string) ([]string, error) {
	c := csv.NewReader(strings.NewReader(s))
	c.Comma = r.delimiter
	return c.Read()
}

// properties returns the entry of a file. The algorithm may have been left out.
func (r *hashesReader) properties(algorithm, value, path string) (Entry, bool, error) {
	value = strings.ToLower(value)
	if path == "" || value == "" {
		return Entry{}, false, errors.New("there is no path, or no value")
	}
	if algorithm == "" {
		var err error
		if algorithm, err = r.untagged(value); err != nil {
			return Entry{}, false, err
		}
	}
	return r.Reader.tagged(path, algorithm, value)
}

var (
	certutilHead  = regexp.MustCompile(`^([A-Za-z0-9]+) hash of (?:file )?(.+):$`)
	certutilValue = regexp.MustCompile(`^[0-9A-Fa-f]{2}(?: ?[0-9A-Fa-f]{2})+$`)
)

// certutilReader reads what certutil -hashfile prints: a line with the algorithm and the name, one with the value, which old versions
// print with spaces, and a message.
type certutilReader struct {
	*Reader
	algorithm, name string
}

func (r *certutilReader) line(s string) (Entry, bool, error) {
	s = strings.TrimRight(s, " \r")
	if head := certutilHead.FindStringSubmatch(s); head != nil {
		r.algorithm, r.name = head[1], head[2]
		return Entry{}, false, nil
	}
	name := r.name
	r.name = ""
	if name == "" && (s == "" || strings.HasPrefix(s, "CertUtil: ")) {
		return Entry{}, false, nil
	}
	if name == "" || !certutilValue.MatchString(s) {
		return Entry{}, false, errors.New("expected a line with the algorithm and the name, and one with the value")
	}
	return r.tagged(name, r.algorithm, strings.ReplaceAll(s, " ", ""))
}

// tagged returns an entry of one checksum whose algorithm the list names.
func (r *Reader) tagged(name, algorithm, value string) (Entry, bool, error) {
	if digest.Size(canonical(algorithm)) == 0 {
		return Entry{}, false, digest.UnknownError(algorithm)
	}
	return r.entry(r.relative(name), pipeline.UnknownSize, algorithm, value)
}
