package md5sum

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// text returns what is printed for one file.
func (o *Options) text(done printTask) (string, error) {
	name, first := done.object.name, done.sums[o.Algorithms[0]]
	switch {
	case o.Format == FormatJSON:
		return inJSON(name, row{Size: &done.size, Checksums: done.sums}), nil
	case o.Format == FormatSFV:
		// There is no escape, and a semicolon begins a comment.
		if strings.ContainsAny(name, "\r\n") || strings.HasPrefix(name, ";") || strings.TrimSpace(name) != name {
			return "", errors.New("SFV cannot hold this name")
		}
		return name + " " + strings.ToUpper(first) + "\n", nil
	case o.Raw:
		raw, err := hex.DecodeString(first)
		return string(raw), err
	}
	var lines strings.Builder
	for _, algorithm := range o.Algorithms {
		value := done.sums[algorithm]
		if o.Base64 {
			var err error
			if value, err = digest.Base64(algorithm, value); err != nil {
				return "", err
			}
		}
		lines.WriteString(o.line(algorithm, value, name))
	}
	return lines.String(), nil
}

// line returns the line of one checksum.
func (o *Options) line(algorithm, value, name string) string {
	// A plain line does not name its algorithm.
	tagged := !o.Untagged && (o.Tag || len(o.Algorithms) > 1 || alwaysTagged(algorithm))
	separator := "  "
	if o.Binary {
		separator = " *"
	}
	switch {
	case tagged && o.Zero:
		return digest.Tag(algorithm) + " (" + name + ") = " + value + "\x00"
	case tagged:
		return digest.FormatTag(algorithm, value, name)
	case o.Zero:
		return value + separator + name + "\x00"
	default:
		// The first two spaces of a line are the separator.
		return strings.Replace(digest.FormatLine(value, name), "  ", separator, 1)
	}
}

// alwaysTagged reports whether other programs would take an untagged value of the algorithm for one of another, as
// xxhsum takes XXH3 for XXH64, or print it with its tag, as cksum prints SM3.
func alwaysTagged(algorithm string) bool {
	return strings.HasPrefix(algorithm, "xxh") || strings.HasPrefix(algorithm, "crc") || algorithm == "sm3"
}

// row is what --format json prints for one file.
type row struct {
	Name      string            `json:"name"`
	Bytes     []byte            `json:"name_base64,omitempty"` // a name that is not UTF-8, which JSON cannot hold
	Size      *int64            `json:"size,omitempty"`
	Checksums map[string]string `json:"checksums,omitempty"`
	Error     string            `json:"error,omitempty"`
}

// failure returns what is printed for a file that could not be read.
func (o *Options) failure(name string, err error) string {
	return inJSON(name, row{Error: reasonOf(err)})
}

func inJSON(name string, r row) string {
	r.Name = name
	if !utf8.ValidString(name) {
		r.Bytes = []byte(name)
	}
	var line strings.Builder
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	_ = e.Encode(r) // text and numbers always have a form in JSON
	return line.String()
}
