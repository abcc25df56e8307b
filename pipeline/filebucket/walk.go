package filebucket

import (
	"io"
	"io/fs"
	"os"
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
// before what is in them; those named [Hidden] are left out. A folder is visited again if
// reading it further fails. Symbolic links are visited and not followed.
//
// Walk holds names of a few hundred thousand files of a folder, and reads a folder with more of them again
// for each part.
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
	return (&walker{open, wanted, visit, namesLimit}).walk("")
}

type walker struct {
	open   func(key string) (*os.File, error)
	wanted func(key string) bool
	visit  func(Entry) error
	limit  int // of the names that are held of each folder
}

// walk reads a folder with very many names in several parts.
func (w *walker) walk(dir string) error {
	for after, first := "", true; ; first = false {
		part, hidden, err := w.read(dir, after)
		if first || err != nil {
			switch err := w.visit(Entry{Key: dir, Type: fs.ModeDir, HasHidden: hidden, Err: err}); {
			case err == fs.SkipDir:
				return nil
			case err != nil:
				return err
			}
		}
		for _, n := range part.all {
			key := dir + string(part.of(n))
			if n.kind.IsDir() {
				err = w.walk(key)
			} else {
				err = w.visit(Entry{Key: key, Type: n.kind})
			}
			if err != nil {
				return err
			}
		}
		if after = part.above; after == "" {
			return nil
		}
	}
}

// read returns the lowest wanted names in a folder after one of them, in order, and whether there is a hidden folder
// too. With an error it returns what could be read.
func (w *walker) read(dir, after string) (part *names, hidden bool, err error) {
	part = &names{limit: w.limit}
	file, err := w.open(dir)
	if err != nil {
		return part, false, err
	}
	defer file.Close()
	for err == nil {
		var found []fs.DirEntry
		found, err = file.ReadDir(1024)
		for _, e := range found {
			text := e.Name()
			switch {
			case e.IsDir() && text == Hidden:
				hidden = true
				continue
			case e.IsDir():
				text += "/"
			}
			if text > after && part.mayAdd(text) && w.wanted(dir+text) {
				part.add(text, e.Type())
			}
		}
	}
	if err == io.EOF {
		err = nil
	}
	part.sort()
	return part, hidden, err
}
