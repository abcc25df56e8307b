package md5sum

import (
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/manifest"
)

// checkTask is an entry of a list or an improper line, and the result.
type checkTask struct {
	number   int
	improper error // why the line cannot be used
	name     string
	want     map[string]string // checksums
	places   []object          // where the object may be, the likeliest first
	err      error             // why the object cannot be read
	found    int               // index of the place where it is
	got      map[string]string
}

// tasks yields the entries of a list, and the lines that have none. An error means that
// the list cannot be read.
func (c *checker) tasks(in io.Reader, yield func(checkTask) bool) error {
	o := manifest.Options{Known: digest.Computable(), Paths: true}
	if c.list.file != "-" {
		o.Name = filepath.ToSlash(c.list.file) + c.list.key // one of them is empty
	}
	if c.o.Chosen {
		o.Algorithms = c.o.Algorithms
	}
	list, err := manifest.NewReader(in, o)
	switch {
	case errors.Is(err, manifest.ErrRead):
		return err
	case err != nil:
		c.remark(err.Error())
		return nil
	}
	defer func() {
		c.assumptions = list.Assumptions()
		if list.Form() == manifest.Sums {
			return // each checksum that was left out is an improper line
		}
		for _, note := range list.LeftOut() {
			c.remark(note)
		}
	}()
	for e, err := range list.Entries() {
		line, improper := errors.AsType[*manifest.LineError](err)
		if err != nil && !improper {
			return err
		}
		t := checkTask{number: e.Line, name: e.Name, want: e.Checksums}
		if improper {
			t.number, t.improper = line.Line, line.Err
		}
		if t.name == "-" && c.list.file == "-" {
			t.improper = errors.New("standard input cannot hold its own checksum")
		}
		if t.improper == nil {
			t.places, t.err = c.places(e.Name, list.Form())
		} else {
			c.explain(t)
		}
		if !yield(t) {
			return nil
		}
	}
	return nil
}

// explain keeps a remark about the first line of each algorithm that is not known, and why the first line that has a checksum
// cannot be used.
func (c *checker) explain(t checkTask) {
	line := &manifest.LineError{Line: t.number, Err: t.improper}
	unknown, ok := errors.AsType[digest.UnknownError](t.improper)
	switch {
	case ok && !slices.Contains(c.unknown, unknown) && len(c.unknown) < mostRemarks:
		c.unknown = append(c.unknown, unknown)
		line.Err = unknown
		c.remark(line.Error())
	case !errors.Is(t.improper, digest.ErrNoLine) && c.reason == nil:
		c.reason = line
	}
}

// places returns where an object that a list names may be. A list of a form whose names are
// relative to its own folder may have been moved, and a list from Windows has paths of Windows.
func (c *checker) places(name string, form manifest.Form) ([]object, error) {
	o, err := c.r.schemes.parseListed(name, c.o.CheckURLs)
	if err != nil || o.file != name {
		return []object{o}, err // a URL
	}
	if form.Beside() && c.list.bucket != "" {
		if !c.o.CheckURLs {
			return []object{o}, errInBucket
		}
		o.file, o.bucket, o.key = "", c.list.bucket, path.Join(path.Dir(c.list.key), name)
		return []object{o}, nil
	}
	var places []object
	for _, spelling := range pathSpellings(name) {
		if form.Beside() && c.list.file != "-" && c.o.Directory == "" && !filepath.IsAbs(spelling) {
			o.file = filepath.Join(filepath.Dir(c.list.file), spelling)
			places = append(places, o)
		}
		o.file = spelling
		places = append(places, o)
	}
	return places, nil
}

// windowsRoot is the beginning of a path of Windows that is not relative.
var windowsRoot = regexp.MustCompile(`^([A-Za-z]:)?\\`)

// pathSpellings returns the paths of this system that a name may stand for: the name as it is; elsewhere than on Windows also
// with slashes for its backslashes; and the last part of an absolute path of Windows, which no other system has.
func pathSpellings(name string) []string {
	if !strings.Contains(name, `\`) || os.PathSeparator == '\\' {
		return []string{name}
	}
	slashes := strings.ReplaceAll(name, `\`, "/")
	if windowsRoot.MatchString(name) {
		slashes = path.Base(slashes)
	}
	return []string{name, slashes}
}
