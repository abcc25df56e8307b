package md5sum

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// listFolder yields the files of the folder root, whose name ends with a slash, in
// the lexical order of their keys, and what of it cannot be read. It reports
// whether there was anything to yield, and whether more is wanted.
//
// Symbolic links to folders are not followed, and what bucketsum itself keeps in
// a folder is left out.
func listFolder(ctx context.Context, root string, yield func(object, error) bool) (found, more bool) {
	open := func(dir string) (*os.File, error) { return os.Open(root + dir) }
	tell := func(o object, err error) error {
		found = true
		if !yield(o, err) {
			return fs.SkipAll
		}
		return nil
	}
	err := filebucket.Walk(open, func(e filebucket.Entry) error {
		switch {
		case ctx.Err() != nil:
			_ = tell(object{name: e.Key}, context.Cause(ctx)) // nothing more in any case
			return fs.SkipAll
		case e.Err != nil:
			return tell(object{name: cmp.Or(e.Key, root)}, e.Err)
		case e.Type.IsDir():
			return nil
		}
		file, err := fileIn(root, root+e.Key, e.Type)
		return tell(object{name: e.Key, file: file}, err)
	})
	return found, err == nil
}

// fileIn returns the path of the file that an entry of the folder root, or of one in
// it, is or is a link to. What a link leads to has to be in root, too: whoever may
// put files there cannot have others read. That something cannot be looked at,
// reading it will tell.
func fileIn(root, path string, t fs.FileMode) (string, error) {
	if t&fs.ModeSymlink == 0 {
		if !t.IsRegular() {
			return path, errNoFile
		}
		return path, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return path, nil
	}
	if !info.Mode().IsRegular() {
		return path, errNoFile
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path, err
	}
	inside, err := filepath.EvalSymlinks(root)
	if err != nil {
		return path, err
	}
	// A relative folder and an absolute link to what is in it have to compare.
	if target, err = filepath.Abs(target); err != nil {
		return path, err
	}
	if inside, err = filepath.Abs(inside); err != nil {
		return path, err
	}
	if way, err := filepath.Rel(inside, target); err != nil || !filepath.IsLocal(way) {
		return path, errOutside
	}
	return target, nil
}
