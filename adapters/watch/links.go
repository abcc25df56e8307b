package watch

import (
	"io/fs"
	"os"
	"path/filepath"
)

// follow returns the file that a link leads to; nil if the link does not lead to
// a file in the folder.
func (w *watcher) follow(key string) (fs.FileInfo, error) {
	target, err := os.Readlink(w.path(key))
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(w.path(key)), target)
	}
	w.rememberLink(target, key)
	// os.Root decides what leads out, as it does when the object is read.
	info, err := w.root.Stat(filepath.FromSlash(key))
	if err != nil {
		// It also refuses absolute links that lead into the folder.
		if k, ok := w.resolve(key); ok {
			info, err = w.root.Stat(filepath.FromSlash(k))
		}
	}
	if err != nil {
		// A loop, a missing target, or one that is outside.
		return nil, nil
	}
	if !info.Mode().IsRegular() {
		return nil, nil
	}
	k, ok := w.resolve(key)
	if !ok || w.left(k) {
		return nil, nil
	}
	w.rememberLink(w.path(k), key)
	return info, nil
}

// resolve returns the key of the last target of a chain of links, or false if
// that is not in the folder.
func (w *watcher) resolve(key string) (string, bool) {
	target, err := filepath.EvalSymlinks(w.path(key))
	if err != nil {
		return "", false
	}
	return w.key(target)
}

// rememberLink notes that a change of the target is a change of the link too.
func (w *watcher) rememberLink(target, link string) {
	key, ok := w.key(target)
	if !ok || key == "" || key == link {
		return
	}
	if w.links[key] == nil {
		w.links[key] = make(map[string]bool)
	}
	w.links[key][link] = true
}

// checkLinks checks the links to a key that has changed.
func (w *watcher) checkLinks(key string) {
	links := w.links[key]
	delete(w.links, key) // check remembers those that still lead here
	for link := range links {
		w.check(link)
	}
}
