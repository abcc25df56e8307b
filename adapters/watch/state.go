package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// kind is what a path leads to.
type kind int

const (
	absent  kind = iota // nothing, or something that is not an object
	file                // a regular file, or a link to one in the folder
	folder              // a folder, never a link
	tooLong             // the system does not accept the path
	unknown             // the system does not answer
)

// state is what a path led to at one time. Only files have a version.
type state struct {
	kind    kind
	version filebucket.Version
}

func (f *Folder) path(key string) string { return filepath.Join(f.dir, filepath.FromSlash(key)) }

// key returns the key of a path in the folder, or false if the path is not in it.
// The folder itself has the empty key.
func (f *Folder) key(path string) (string, bool) {
	if path == f.dir {
		return "", true
	}
	prefix := f.dir
	if !os.IsPathSeparator(prefix[len(prefix)-1]) {
		prefix += string(filepath.Separator)
	}
	rel, ok := strings.CutPrefix(path, prefix)
	return filepath.ToSlash(rel), ok
}

// look returns what a key leads to now. The error says more about tooLong and
// unknown.
func (w *watcher) look(key string) (state, error) {
	info, err := os.Lstat(w.path(key))
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if info, err = w.follow(key); err == nil && info == nil {
			w.config.Skipped(key, Link)
		}
	}
	switch {
	case isGone(err):
		return state{}, nil
	case errors.Is(err, syscall.ENAMETOOLONG):
		return state{kind: tooLong}, err
	case err != nil:
		return state{kind: unknown}, err
	case info == nil:
		return state{}, nil
	case info.Mode().IsRegular():
		return state{file, filebucket.VersionOf(info)}, nil
	case info.IsDir():
		return state{kind: folder}, nil
	}
	w.config.Skipped(key, Special)
	return state{}, nil
}

// isGone reports whether an error means that there is nothing at a path.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
