package md5sum

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// listFolder yields the files of the folder root, which ends with a slash, in the lexical
// order of their keys, and an error for each part that cannot be read. Their names are their keys after
// a prefix. It reports whether it yielded anything, and whether the caller wants more.
//
// It does not follow symbolic links to folders, and skips bucketsum's own files.
func listFolder(ctx context.Context, root, prefix string, yield func(object, error) bool) (found, more bool) {
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
			_ = tell(object{name: prefix + e.Key}, context.Cause(ctx)) // nothing more in any case
			return fs.SkipAll
		case e.Err != nil:
			return tell(object{name: cmp.Or(prefix+e.Key, root)}, e.Err)
		case e.Type.IsDir():
			return nil
		}
		file, err := fileIn(root, root+e.Key, e.Type)
		return tell(object{listed: true, name: prefix + e.Key, file: file}, err)
	})
	return found, err == nil
}

// fileIn returns the path of the file that an entry below the folder root is, or links
// to. The target of a link must be below root, so that a user who may only put files
// there cannot make bucketsum read others. If the entry cannot be examined, fileIn
// returns its path, and reading it will fail.
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
	// A relative folder must compare with the absolute target of a link.
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
