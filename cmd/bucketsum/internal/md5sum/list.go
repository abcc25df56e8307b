package md5sum

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/manifest"
)

// tasks yields the lines of a list without empty lines and comments. An error means that
// the list cannot be read.
func (c *checker) tasks(in io.Reader, yield func(checkTask) bool) error {
	var parser digest.Parser
	number := 0
	for s, err := range manifest.Lines(in) {
		number++
		if errors.Is(err, manifest.ErrRead) {
			return err
		}
		if err == nil && (strings.HasPrefix(s, "#") || strings.TrimSuffix(s, "\r") == "") {
			continue
		}
		before := parser
		t := checkTask{number: number, improper: err}
		if err == nil {
			t.line, t.improper = c.parse(&parser, s)
		}
		if t.improper != nil {
			parser = before
		} else {
			t.object, t.err = c.r.schemes.parseListed(t.line.Name, c.o.CheckURLs)
		}
		if !yield(t) {
			return nil
		}
	}
	return nil
}

// parse reads a line and determines its algorithm.
func (c *checker) parse(parser *digest.Parser, s string) (digest.Line, error) {
	line, err := parser.Parse(s)
	if err != nil {
		return line, err
	}
	if line.Name == "-" && c.list.file == "-" {
		return line, errors.New("standard input cannot hold its own checksum")
	}
	line.Algorithm, err = c.o.algorithm(line)
	if _, ok := errors.AsType[ambiguousError](err); ok && c.ambiguous == nil {
		c.ambiguous = err
	}
	return line, err
}

// algorithm returns the algorithm of a line.
func (o *Options) algorithm(line digest.Line) (string, error) {
	if line.Algorithm != "" {
		if o.Chosen && !slices.Contains(o.Algorithms, line.Algorithm) {
			return "", fmt.Errorf("%s is not one of --algorithms", line.Algorithm)
		}
		return line.Algorithm, nil
	}
	candidates := []string{"md5", "sha1", "sha256", "sha512"}
	if o.Chosen {
		candidates = o.Algorithms
	}
	var fitting []string
	for _, name := range candidates {
		if digest.Valid(name, line.Value) {
			fitting = append(fitting, name)
		}
	}
	if len(fitting) != 1 {
		return "", ambiguousError{len(line.Value), fitting}
	}
	return fitting[0], nil
}

// ambiguousError means that the length of a value fits no algorithm, or several.
type ambiguousError struct {
	digits  int
	fitting []string
}

func (e ambiguousError) Error() string {
	if len(e.fitting) > 1 {
		return fmt.Sprintf("a value of %d digits may be of %s; name one with --algorithms", e.digits, strings.Join(e.fitting, " or "))
	}
	var of []string
	for _, name := range digest.Names() {
		if 2*digest.Size(name) == e.digits {
			of = append(of, name)
		}
	}
	return fmt.Sprintf("a value of %d digits needs one of --algorithms %s", e.digits, strings.Join(of, ", "))
}
