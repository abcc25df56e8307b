package watch

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// errNotUTF8 is why a file of such a name cannot be an object.
var errNotUTF8 = errors.New("its name is not UTF-8, so that no event can carry it")

// pass is how folders are gone through.
type pass struct {
	initial bool // what is found was there at the start
}

// attempts is how often a folder is looked at that is replaced again and again.
const attempts = 3

// see looks at the key, does what is to be done about it and returns what it is.
func (w *watch) see(key string, p pass) kind {
	if w.known.isInner(key) {
		return unknown
	}
	s, err := w.look(key)
	if s.kind == unknown {
		// Nothing may be concluded. Its folder is scanned until it tells.
		dir, _ := split(key)
		w.mistrust(dir, &unreadableError{err})
		return unknown
	}
	w.visit(key, s, err, p)
	return s.kind
}

// visit does what is to be done about what was seen at a key.
func (w *watch) visit(key string, s sight, err error, p pass) {
	if n := w.known.folder(key); n != nil && s.kind != folder {
		w.forget(n)
	}
	was, known := w.known.file(key)
	switch {
	case s.kind == tooLong:
		w.report(key, fmt.Errorf("its path is too long: %w", err))
	case s.kind == file && w.config.Skip(key):
	case s.kind == file && !utf8.ValidString(key):
		w.report(key, errNotUTF8)
	case s.kind == file && known && was == s.stamp:
		w.settling.calm(key) // it was away and is back, or was never away
	case s.kind == file:
		if p.initial {
			w.known.set(key, unannounced)
		}
		w.settling.touch(key, s, time.Now())
	case known && was == reported:
		w.known.unset(key)
	case known:
		w.settling.touch(key, s, time.Now())
	default:
		w.settling.drop(key) // it came and went
	}
	if s.kind == folder {
		w.enter(w.known.add(key), p)
	}
}

// report says once of a file that it cannot be an object.
func (w *watch) report(key string, err error) {
	if was, known := w.known.file(key); known && was == reported {
		return
	}
	w.known.set(key, reported)
	w.config.Unaddressable(key, err)
}

// enter watches a folder and then scans it and the folders in it, so that
// nothing falls in between. What is watched already is watched anew, as it may have
// been replaced.
func (w *watch) enter(n *node, p pass) {
	entries, trouble := w.list(n)
	if n.gone {
		return
	}
	key := n.key()
	if w.isInner(n, entries) {
		w.trust(key)
		return
	}
	for _, e := range entries {
		if w.stopped() {
			return
		}
		if e.Name() == filebucket.Hidden {
			continue
		}
		child := join(key, e.Name())
		s, err := w.look(child)
		if s.kind == unknown {
			trouble = &unreadableError{err}
			continue
		}
		w.visit(child, s, err, p)
	}
	if trouble != nil {
		w.mistrust(key, trouble)
	} else {
		w.trust(key)
	}
}

// isInner finds out whether a folder in the folder is a bucket of its own, says so
// once and watches it no more. To this bucket, its records would be the user's files.
func (w *watch) isInner(n *node, entries []os.DirEntry) bool {
	was, key := n.inner, n.key()
	n.inner = n.parent != nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == filebucket.Hidden })
	if n.inner {
		info, err := os.Lstat(w.path(join(join(key, filebucket.Hidden), filebucket.Notes)))
		n.inner = err == nil && info.IsDir()
	}
	if n.inner {
		w.source.Remove(w.path(key)) // fails if it could not be watched
	}
	if n.inner && !was {
		w.config.Inner(key)
	}
	return n.inner
}

// list watches a folder and returns what is in it, sorted, and why that may not
// be everything.
func (w *watch) list(n *node) (entries []os.DirEntry, trouble error) {
	path := w.path(n.key())
	for range attempts {
		before, err := os.Lstat(path)
		if gone(err) || err == nil && !before.IsDir() {
			w.forget(n)
			return nil, nil
		}
		if err != nil {
			return nil, &unreadableError{err}
		}
		w.claim(n, identify(before))
		trouble = w.source.Add(path)
		entries, err = os.ReadDir(path)
		after, afterErr := os.Lstat(path)
		if afterErr != nil || !os.SameFile(before, after) {
			trouble = errors.New("it was replaced while it was looked at")
			continue // both follow links, and it may have become one
		}
		if err != nil {
			return entries, &unreadableError{err}
		}
		w.miss(n, entries)
		return entries, trouble
	}
	return nil, trouble
}

// claim takes note of which folder it is that has a path. If it is known by
// another path, it was moved, and what the system tells of it would still be told by
// the old path.
func (w *watch) claim(n *node, id identity) {
	if id == (identity{}) {
		return
	}
	if m := w.folders[id]; m != nil && !n.within(m) {
		w.forget(m)
	}
	w.disclaim(n)
	n.id, w.folders[id] = id, n
}

func (w *watch) disclaim(n *node) {
	if w.folders[n.id] == n {
		delete(w.folders, n.id)
	}
}

// miss finds what is known of the folder and not in its sorted entries.
func (w *watch) miss(n *node, entries []os.DirEntry) {
	here := func(name string) bool {
		_, ok := slices.BinarySearchFunc(entries, name, func(e os.DirEntry, name string) int {
			return strings.Compare(e.Name(), name)
		})
		return ok
	}
	key := n.key()
	for name := range n.files {
		if !here(name) {
			w.visit(join(key, name), sight{}, nil, pass{})
		}
	}
	for name, child := range n.folders {
		if !here(name) {
			w.forget(child)
		}
	}
}

// forget takes note that a folder is gone, with everything in it. If it was
// only moved, the watches of it and of the folders in it must not stay: they would
// tell of its new content under its old path.
func (w *watch) forget(n *node) {
	if n.gone {
		return
	}
	key := n.key()
	w.source.Remove(w.path(key)) // fails if the system has removed it
	w.trust(key)
	w.disclaim(n)
	n.gone = true
	for name, s := range n.files {
		if s == reported {
			delete(n.files, name)
			continue
		}
		w.settling.touch(join(key, name), sight{}, time.Now())
	}
	for _, child := range n.folders {
		w.forget(child)
	}
	n.prune()
}

// mistrust lets a folder be scanned at intervals, as the system does not tell
// what happens in it.
func (w *watch) mistrust(key string, err error) {
	_, was := w.mistrusted[key]
	w.mistrusted[key] = struct{}{}
	if e, ok := errors.AsType[*unreadableError](err); ok {
		if _, was := w.unreadable[key]; !was {
			w.unreadable[key] = struct{}{}
			w.config.Unreadable(key, e.err)
		}
		return
	}
	w.readable(key)
	// Said once of all folders, if the reason is not the folder's.
	sysctl := limit(err)
	if sysctl == "" && !w.deaf() {
		if !was {
			w.log.Warn("folder cannot be watched completely and is scanned at intervals",
				"folder", w.path(key), "interval", w.config.Rescan.String(), "err", err)
		}
		return
	}
	if !w.limited {
		w.log.Warn("folders that the system does not watch are scanned at intervals",
			"folder", w.path(key), "interval", w.config.Rescan.String(), "raise", sysctl, "err", err)
	}
	w.limited = true
}

// trust is the opposite of mistrust.
func (w *watch) trust(key string) {
	delete(w.mistrusted, key)
	w.readable(key)
}

// readable takes back that a folder cannot be read.
func (w *watch) readable(key string) {
	if _, was := w.unreadable[key]; was {
		delete(w.unreadable, key)
		w.config.Unreadable(key, nil)
	}
}

// unreadableError is why a folder, or what is in it, cannot be looked at.
type unreadableError struct{ err error }

func (e *unreadableError) Error() string { return e.err.Error() }
func (e *unreadableError) Unwrap() error { return e.err }

// rescan scans the folders that the system does not tell about.
func (w *watch) rescan() error {
	if w.deaf() {
		if source, err := w.open(); err == nil {
			w.source = source
			w.log.Info("the system tells of changes again")
			return w.scan(pass{})
		}
	}
	for key := range w.mistrusted {
		n := w.known.folder(key)
		switch {
		case w.stopped():
			return nil
		case n == nil || n.gone:
			w.trust(key)
		case !w.mistrustedAbove(key): // else it is scanned with that one
			w.enter(n, pass{})
		}
	}
	if w.limited && len(w.mistrusted) == 0 {
		w.limited = false
		w.log.Info("all folders are watched again")
	}
	return nil
}

func (w *watch) mistrustedAbove(key string) bool {
	for key != "" {
		key, _ = split(key)
		if _, ok := w.mistrusted[key]; ok {
			return true
		}
	}
	return false
}
