package filebucket

import (
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Entry is a file or a folder that [Walk] visits.
type Entry struct {
	// Key is the path in the bucket. That of a folder ends with a slash, except
	// for the walked folder itself, whose key is empty.
	Key  string
	Type fs.FileMode // type bits, of a link those of the link
	// HasHidden reports that the folder has a folder named Hidden in it, so that
	// it may be a bucket of its own.
	HasHidden bool
	Err       error // why the folder cannot be read, or not completely
}

// Walk visits a folder, the files in it and those of the folders in it, in the
// lexical order of their keys. Folders are visited after they have been read, and
// before what is in them; those named [Hidden] are left out. Symbolic links are
// visited and not followed.
//
// open opens a folder by its key. visit returns nil to go on, [fs.SkipDir] to
// leave out what is in a folder, or the error that ends the walk and that Walk
// returns.
//
// [fs.WalkDir] does not do: it visits "a/b" before "a-", and as keys they are in
// the other order; and an [fs.FS] does not open names that are not UTF-8. Nor does
// gocloud's fileblob, which loses files of large folders when it pages.
func Walk(open func(key string) (*os.File, error), visit func(Entry) error) error {
	return WalkOnly(open, func(string) bool { return true }, visit)
}

// WalkOnly is Walk for some files and folders only: it neither reads nor visits those whose key wanted does not
// want.
func WalkOnly(open func(key string) (*os.File, error), wanted func(key string) bool, visit func(Entry) error) error {
	return (&walker{open, wanted, visit}).walk("")
}

type walker struct {
	open   func(key string) (*os.File, error)
	wanted func(key string) bool
	visit  func(Entry) error
}

func (w *walker) walk(dir string) error {
	entries, hidden, err := w.read(dir)
	switch err := w.visit(Entry{Key: dir, Type: fs.ModeDir, HasHidden: hidden, Err: err}); {
	case err == fs.SkipDir:
		return nil
	case err != nil:
		return err
	}
	for _, e := range entries {
		if e.Type.IsDir() {
			err = w.walk(e.Key)
		} else {
			err = w.visit(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read returns what is wanted of a folder, and whether there is a hidden folder too. With an error it
// returns what could be read.
func (w *walker) read(dir string) (entries []Entry, hidden bool, err error) {
	file, err := w.open(dir)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	found, err := file.ReadDir(-1)
	entries = make([]Entry, 0, len(found))
	for _, e := range found {
		key := dir + e.Name()
		switch {
		case e.IsDir() && e.Name() == Hidden:
			hidden = true
			continue
		case e.IsDir():
			key += "/"
		}
		if w.wanted(key) {
			entries = append(entries, Entry{Key: key, Type: e.Type()})
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return entries, hidden, err
}
