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
	absent  kind = iota // nothing, or something that is no object
	file                // a regular file, perhaps by a link in the folder
	folder              // a folder, never by a link
	tooLong             // a path that the system does not take
	unknown             // the system does not tell
)

// sight is what was seen at a path at one time. Only files have a stamp.
type sight struct {
	kind  kind
	stamp stamp
}

func (w *watch) path(key string) string { return filepath.Join(w.dir, filepath.FromSlash(key)) }

// key returns the key of a path in the folder; false if it is not in it. The
// folder itself has the empty key.
func (w *watch) key(path string) (string, bool) {
	if path == w.dir {
		return "", true
	}
	prefix := w.dir
	if !os.IsPathSeparator(prefix[len(prefix)-1]) {
		prefix += string(filepath.Separator)
	}
	rel, ok := strings.CutPrefix(path, prefix)
	return filepath.ToSlash(rel), ok
}

// look returns what is at the key now. The error tells more about tooLong and
// unknown.
func (w *watch) look(key string) (sight, error) {
	info, err := os.Lstat(w.path(key))
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		info, err = w.follow(key)
	}
	switch {
	case gone(err):
		return sight{}, nil
	case errors.Is(err, syscall.ENAMETOOLONG):
		return sight{kind: tooLong}, err
	case err != nil:
		return sight{kind: unknown}, err
	case info == nil:
		return sight{}, nil
	case info.Mode().IsRegular():
		return sight{file, filebucket.VersionOf(info)}, nil
	case info.IsDir():
		return sight{kind: folder}, nil
	}
	w.log.Debug("not a file", "key", key, "type", info.Mode().Type().String())
	return sight{}, nil
}

// gone reports whether an error says that there is nothing at a path.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// follow returns the file that a link leads to; nil if it leads to something
// that is not a file in the folder.
func (w *watch) follow(key string) (fs.FileInfo, error) {
	target, err := os.Readlink(w.path(key))
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(w.path(key)), target)
	}
	w.link(target, key)
	// os.Root decides what leads out, as it does when the object is read.
	info, err := w.root.Stat(filepath.FromSlash(key))
	if err != nil {
		// It also refuses every absolute link, be it to the inside.
		if k, ok := w.resolve(key); ok {
			info, err = w.root.Stat(filepath.FromSlash(k))
		}
	}
	if err != nil {
		// A loop, a target that is not there, or one that is outside.
		w.log.Debug("link leads to no file in the folder", "key", key, "err", err)
		return nil, nil
	}
	if !info.Mode().IsRegular() {
		w.log.Debug("link leads to no file", "key", key, "type", info.Mode().Type().String())
		return nil, nil
	}
	k, ok := w.resolve(key)
	if !ok || filebucket.IsHidden(k) {
		return nil, nil
	}
	w.link(w.path(k), key)
	return info, nil
}

// resolve returns the key of what a link leads to in the end; false if that is
// not in the folder.
func (w *watch) resolve(key string) (string, bool) {
	target, err := filepath.EvalSymlinks(w.path(key))
	if err != nil {
		return "", false
	}
	return w.key(target)
}

// link remembers that what happens to the target happens to the link.
func (w *watch) link(target, link string) {
	key, ok := w.key(target)
	if !ok || key == "" || key == link {
		return
	}
	if w.links[key] == nil {
		w.links[key] = make(map[string]bool)
	}
	w.links[key][link] = true
}

// relink looks at the links to a key after something happened to it.
func (w *watch) relink(key string) {
	links := w.links[key]
	delete(w.links, key) // those that still lead here come back
	for link := range links {
		w.see(link, pass{})
	}
}
