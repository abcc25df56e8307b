package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// errNotUTF8 is why a file with such a name cannot be an object.
var errNotUTF8 = errors.New("its name is not UTF-8, so that no event can carry it")

// listAttempts is how often a folder is read that is replaced again and again.
const listAttempts = 3

// check looks at a key, acts on what it finds, and returns what that is.
func (w *watcher) check(key string) kind {
	if w.left(key) || w.known.isInner(key) {
		return unknown
	}
	s, err := w.look(key)
	if s.kind == unknown {
		// This proves nothing. The folder is scanned until the system answers.
		dir, _ := split(key)
		w.startPolling(dir, &unreadableError{err})
		return unknown
	}
	w.update(key, s, err, false)
	return s.kind
}

// left reports whether a key is not watched.
func (w *watcher) left(key string) bool { return filebucket.IsHidden(key) || w.config.Leave(key) }

// update acts on what was found at a key. initial means that it existed at the
// start.
func (w *watcher) update(key string, s state, err error, initial bool) {
	if n := w.known.folder(key); n != nil && s.kind != folder {
		w.forget(n)
	}
	was, known := w.known.file(key)
	switch {
	case s.kind == tooLong:
		w.reportUnaddressable(key, fmt.Errorf("its path is too long: %w", err))
	case s.kind == file && w.config.Skip(key):
		w.lone(key)
	case s.kind == file && !utf8.ValidString(key):
		w.reportUnaddressable(key, errNotUTF8)
	case s.kind == file && known && was == s.version:
		w.settling.calm(key) // it was away and is back, or was never away
	case s.kind == file && w.tooFresh(s.version):
	case s.kind == file:
		if initial {
			w.known.set(key, unannounced)
			w.found.Add(1)
		}
		w.settling.touch(key, s)
	case known && was == unaddressable:
		w.known.unset(key)
		w.config.Unaddressable(key, nil)
	case known:
		w.settling.touch(key, s)
	default:
		w.settling.drop(key) // it came and went
	}
	if s.kind == folder {
		w.scan(w.known.add(key), initial)
	}
}

// reportUnaddressable reports a file that cannot be an object, once.
func (w *watcher) reportUnaddressable(key string, err error) {
	if was, known := w.known.file(key); known && was == unaddressable {
		return
	}
	w.known.set(key, unaddressable)
	w.config.Unaddressable(key, err)
}

// scanAll scans the whole folder.
func (w *watcher) scanAll(initial bool) error {
	if err := w.checkDir(); err != nil {
		return err
	}
	clear(w.polled)
	w.limited = false
	w.known.gone = false
	w.scan(w.known, initial)
	return nil
}

// scan watches a folder and then scans it and the folders in it, so that no
// change falls in between. A folder that is watched already is watched again, as
// another may have taken its place.
func (w *watcher) scan(n *node, initial bool) {
	entries, fault := w.list(n)
	if n.gone {
		return
	}
	key := n.key()
	if w.findInner(n, entries) {
		w.stopPolling(key)
		return
	}
	for _, e := range entries {
		if w.stopped() {
			return
		}
		child := join(key, e.Name())
		if w.left(child) {
			continue
		}
		s, err := w.look(child)
		if s.kind == unknown {
			fault = &unreadableError{err}
			continue
		}
		w.update(child, s, err, initial)
		if !initial && !n.scanned && s.kind == file && w.config.Skip(child) {
			w.strayed(child)
		}
	}
	n.scanned = true
	if fault != nil {
		w.startPolling(key, fault)
	} else {
		w.stopPolling(key)
	}
}

// lone reports a skipped file that is the record of no object.
func (w *watcher) lone(record string) {
	key, ok := w.config.RecordOf(record)
	if !ok || w.config.Skip(key) {
		return
	}
	if _, known := w.known.file(key); known {
		return
	}
	if info, err := os.Lstat(w.path(key)); isGone(err) || err == nil && info.IsDir() {
		w.config.Skipped(record, LoneRecord)
	}
}

// strayed announces the deletion of an object whose record was found in a new folder without it. The folder may have
// been moved here just before the pipeline could remove the record.
func (w *watcher) strayed(record string) {
	key, ok := w.config.RecordOf(record)
	if !ok || w.config.Skip(key) || !utf8.ValidString(key) {
		return
	}
	if s, err := w.look(key); err == nil && s.kind == absent {
		w.settling.again(key, s)
	}
}

// findInner finds out whether a folder is a bucket of its own. If so, it reports
// that once and stops watching it: for this bucket, the other one's records would be
// files of the user.
func (w *watcher) findInner(n *node, entries []os.DirEntry) bool {
	was, key := n.inner, n.key()
	n.inner = n.parent != nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == filebucket.Hidden })
	if n.inner {
		info, err := os.Lstat(w.path(join(join(key, filebucket.Hidden), filebucket.Notes)))
		n.inner = err == nil && info.IsDir() || errors.Is(err, fs.ErrPermission) // it may be closed to this user
	}
	if n.inner {
		w.source.Remove(w.path(key)) // fails if it could not be watched
	}
	if n.inner && !was {
		w.config.Inner(key)
	}
	return n.inner
}

// list watches a folder and returns its sorted entries. The fault is why the
// entries may be incomplete, or later changes unreported.
//
// It does not walk by [filebucket.Walk]: the watch must be set between two looks at
// the folder.
func (w *watcher) list(n *node) (entries []os.DirEntry, fault error) {
	path := w.path(n.key())
	for range listAttempts {
		before, err := os.Lstat(path)
		if isGone(err) || err == nil && !before.IsDir() {
			w.forget(n)
			return nil, nil
		}
		if err != nil {
			return nil, &unreadableError{err}
		}
		if id := identify(before); !w.sweeping || id != n.id || w.polled[n.key()] {
			w.register(n, id)
			fault = w.source.Add(path)
		}
		entries, err = os.ReadDir(path)
		after, afterErr := os.Lstat(path)
		if afterErr != nil || !os.SameFile(before, after) {
			fault = errors.New("it was replaced while it was read")
			continue // Add and ReadDir follow links, and it may have become one
		}
		if err != nil {
			return entries, &unreadableError{err}
		}
		w.findMissing(n, entries)
		return entries, fault
	}
	return nil, fault
}

// register records which folder has the path of a node. If that folder is known
// by another path, it was moved: then the old node is forgotten, as the system would
// still report changes under the old path.
func (w *watcher) register(n *node, id identity) {
	if id == (identity{}) {
		return
	}
	if m := w.folders[id]; m != nil && !n.within(m) {
		w.forget(m)
	}
	w.unregister(n)
	n.id, w.folders[id] = id, n
}

func (w *watcher) unregister(n *node) {
	if w.folders[n.id] == n {
		delete(w.folders, n.id)
	}
}

// findMissing finds what is known of a folder and is not among its sorted
// entries.
func (w *watcher) findMissing(n *node, entries []os.DirEntry) {
	here := func(name string) bool {
		_, ok := slices.BinarySearchFunc(entries, name, func(e os.DirEntry, name string) int {
			return strings.Compare(e.Name(), name)
		})
		return ok
	}
	key := n.key()
	for name := range n.files {
		if !here(name) {
			w.update(join(key, name), state{}, nil, false)
		}
	}
	for name, child := range n.folders {
		if !here(name) {
			w.forget(child)
		}
	}
}

// forget notes that a folder is gone with everything in it. If the folder was
// only moved, its watch and those of the folders in it must not stay: they would
// report its new content under the old path.
func (w *watcher) forget(n *node) {
	if n.gone {
		return
	}
	key := n.key()
	w.source.Remove(w.path(key)) // fails if the system has removed it
	w.stopPolling(key)
	w.unregister(n)
	n.gone = true
	for name, v := range n.files {
		if v == unaddressable {
			delete(n.files, name)
			w.config.Unaddressable(join(key, name), nil)
			continue
		}
		w.settling.touch(join(key, name), state{})
	}
	for _, child := range n.folders {
		w.forget(child)
	}
	n.prune()
}
