package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// row reads a row of this program.
func (r *Reader) row(s string) (Entry, bool, error) {
	if strings.TrimSpace(s) == "" {
		return Entry{}, false, nil
	}
	var row sweep.Row
	if err := json.Unmarshal([]byte(s), &row); err != nil {
		return Entry{}, false, errors.New("it is not a row in JSON")
	}
	switch {
	case row.Key == "":
		return Entry{}, false, errors.New("the row has no key")
	case row.State != sweep.OK && row.State != sweep.Recorded && row.State != sweep.New && row.State != sweep.Moved:
		return Entry{}, false, fmt.Errorf("the state of the row is %.20q, so it has no proven checksum", row.State)
	case len(row.Checksums) == 0:
		return Entry{}, false, errors.New("the row has no checksum")
	}
	return r.measured(row.Key, row.Size, row.Checksums)
}

// file reads what sum --format json prints for a file.
func (r *Reader) file(s string) (Entry, bool, error) {
	if strings.TrimSpace(s) == "" {
		return Entry{}, false, nil
	}
	var file struct {
		Name      string
		Bytes     []byte `json:"name_base64"` // of a name that is not UTF-8
		Size      *int64
		Checksums map[string]string
		Error     string
	}
	if err := json.Unmarshal([]byte(s), &file); err != nil {
		return Entry{}, false, errors.New("it is not an object in JSON")
	}
	if file.Bytes != nil {
		file.Name = string(file.Bytes)
	}
	switch {
	case file.Error != "":
		return Entry{}, false, errors.New("the file could not be read when the list was made")
	case file.Name == "" || len(file.Checksums) == 0:
		return Entry{}, false, errors.New("there is no name, or no checksum")
	}
	return r.measured(r.relative(file.Name), file.Size, file.Checksums)
}

// measured returns an entry of several checksums and perhaps a size.
func (r *Reader) measured(name string, size *int64, checksums map[string]string) (Entry, bool, error) {
	e := Entry{Name: name, Size: pipeline.UnknownSize, Checksums: make(map[string]string, len(checksums))}
	if size != nil && *size >= 0 {
		e.Size = *size
	}
	algorithms := slices.Sorted(maps.Keys(checksums))
	for _, algorithm := range algorithms {
		if err := r.add(&e, algorithm, checksums[algorithm]); err != nil {
			return Entry{}, false, err
		}
	}
	return r.whole(e, strings.Join(algorithms, ","), nil)
}

// sumsEnding is that of the files of copyrite.
const sumsEnding = ".sums"

// copyrite reads the JSON object that copyrite keeps beside the file that it is about: "version", "size", and one member
// for each checksum. See docs/ARCHITECTURE.md of github.com/umccr/copyrite.
func (r *Reader) copyrite(yield func(Entry, error) bool) {
	t := newTokens(r.in)
	e := Entry{Line: 1, Name: strings.TrimSuffix(path.Base(r.o.Name), sumsEnding), Size: pipeline.UnknownSize, Checksums: make(map[string]string)}
	err := t.object(func(key string) error {
		value, err := t.scalar()
		if err != nil {
			return err
		}
		switch v := value.(type) {
		case string:
			if key == "version" {
				return nil
			}
			if err := r.add(&e, key, v); err != nil {
				return &LineError{Line: t.line(), Err: err}
			}
		case json.Number:
			if e.Size, err = v.Int64(); err != nil || e.Size < 0 || key != "size" {
				return &LineError{Line: t.line(), Err: fmt.Errorf("%.40q is not a checksum", key)}
			}
		}
		return nil
	})
	if err == nil {
		err = t.end()
	}
	if err == nil && len(e.Checksums) == 0 {
		err = &LineError{Line: 1, Err: errors.New("it has no checksum that can be compared")}
	}
	if err != nil {
		e = Entry{}
	}
	yield(e, err)
}

// inventory reads an OCFL inventory: https://ocfl.io/1.1/spec/#inventory. It yields the paths of content in the manifest and
// in the fixity block, then the logical paths of the newest version.
func (r *Reader) inventory(yield func(Entry, error) bool) {
	t := newTokens(r.in)
	var algorithm, head string
	found := false
	err := t.object(func(key string) (err error) {
		switch key {
		case "digestAlgorithm":
			algorithm, err = t.string()
			return err
		case "head":
			head, err = t.string()
			return err
		case "manifest":
			return r.paths(t, algorithm, false, yield)
		case "fixity":
			return t.object(func(name string) error { return r.paths(t, name, false, yield) })
		case "versions":
			return t.object(func(version string) error {
				if head == "" {
					return t.fault("its versions come before its head, so the newest one is not known")
				}
				if version != head {
					return t.skip()
				}
				found = true
				return t.object(func(key string) error {
					if key != "state" || !r.o.Logical {
						return t.skip()
					}
					return r.paths(t, algorithm, true, yield)
				})
			})
		}
		return t.skip()
	})
	if err == nil {
		err = t.end()
	}
	if err == nil && !found {
		err = t.fault(fmt.Sprintf("it has no version %.20q, which its head names", head))
	}
	if err != nil && err != errStop {
		yield(Entry{}, err)
	}
}

// errStop: the caller wants no more entries.
var errStop = errors.New("stopped")

// paths reads an object whose names are values of one algorithm, and whose values are lists of paths.
func (r *Reader) paths(t *tokens, algorithm string, logical bool, yield func(Entry, error) bool) error {
	if algorithm == "" {
		return t.fault("its paths come before its digestAlgorithm")
	}
	return t.object(func(value string) error {
		return t.strings(func(name string) error {
			e, _, err := r.entry(name, pipeline.UnknownSize, algorithm, value)
			e.Logical, e.Line = logical, t.line()
			switch {
			case errors.Is(err, ErrLeftOut):
				return nil
			case err == nil && name == "":
				err = errors.New("the path is empty")
			}
			if err != nil {
				e, err = Entry{Line: e.Line}, &LineError{Line: e.Line, Err: err}
			}
			if !yield(e, err) {
				return errStop
			}
			return nil
		})
	})
}
