package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
	"unicode/utf8"

	"github.com/fsnotify/fsnotify"
)

// restoreAfter is for how many settle times no file must have been removed before an object
// is announced again whose record was removed.
const restoreAfter = 4

// batch is how many settled keys are announced before the watcher takes the next
// report of the system.
const batch = 256

// watcher is the state of a Folder while it runs. Only the goroutine of run uses
// it.
type watcher struct {
	*Folder
	root   *os.Root // of dir
	source source
	// stopped reports whether the watcher has to end.
	stopped func() bool

	known    *node              // what was announced
	folders  map[identity]*node // the folders that were scanned
	settling *settling
	links    map[string]map[string]bool // the keys of links by the key that they lead to

	polled     map[string]bool // folders that are scanned at intervals
	unreadable map[string]bool // those of polled that were reported as unreadable
	limited    bool            // some are polled because the system has a limit
	pollAt     time.Time       // zero: never
	sweepAt    time.Time       // when everything is looked at
	sweeping   bool            // a sweep is in progress
	checkAt    time.Time       // when the folder itself is looked at
	removedAt  time.Time       // when a user last removed a file
	reopenAt   time.Time       // when the source is replaced; zero: never
}

func newWatcher(f *Folder, root *os.Root) *watcher {
	return &watcher{
		Folder:     f,
		root:       root,
		source:     noSource{},
		known:      &node{},
		folders:    make(map[identity]*node),
		settling:   newSettling(f.config.Settle, &f.waiting),
		links:      make(map[string]map[string]bool),
		polled:     make(map[string]bool),
		unreadable: make(map[string]bool),
	}
}

// run watches until ctx ends or the folder is gone.
func (w *watcher) run(ctx context.Context) error {
	w.stopped = func() bool { return ctx.Err() != nil }
	defer func() { w.source.Close() }()
	if err := w.reopen(true); err != nil || w.stopped() {
		return err
	}
	w.announceDeletedBefore(ctx)
	close(w.ready)
	w.sweepAt = time.Now().Add(w.config.Sweep)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if at := w.next(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
		var err error
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.source.Events():
			if ok {
				err = w.handle(e)
			} else {
				w.eventsLost(fsnotify.ErrClosed)
			}
		case e := <-w.source.Errors():
			w.eventsLost(e)
		case <-timer.C:
			err = w.due(time.Now())
		}
		if err != nil {
			return err
		}
	}
}

// announceDeletedBefore announces the objects that were deleted before the watch
// began. Should one come back meanwhile, the system reports it, and it is announced
// after that.
func (w *watcher) announceDeletedBefore(ctx context.Context) {
	if w.config.Remembered == nil {
		return
	}
	for key, err := range w.config.Remembered(ctx) {
		if w.stopped() {
			return
		}
		if errors.Is(err, fs.ErrPermission) && len(w.unreadable) > 0 {
			continue // it is reported already
		}
		if err != nil {
			w.config.Log.Warn("not all objects that were deleted meanwhile can be found", "key", key, "err", err)
			continue
		}
		if w.left(key) {
			continue
		}
		// A folder, a pipe or a link that leads out may have taken the place of the file.
		if s, err := w.look(key); err == nil && (s.kind == absent || s.kind == folder) {
			w.outbox.put(key, change{key: key, deleted: true, at: time.Now()})
		}
	}
}

// handle acts on one report of the system.
func (w *watcher) handle(e fsnotify.Event) error {
	key, ok := w.key(e.Name)
	if !ok || w.left(key) {
		return nil
	}
	moved := e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)
	if key == "" && moved {
		if err := w.checkDir(); err != nil {
			return err
		}
		w.eventsLost(errors.New("the folder was moved away and back"))
		return nil
	}
	n := w.known.folder(key)
	if n != nil && moved {
		w.forget(n)
	}
	if n != nil && !n.gone && !e.Has(fsnotify.Create) {
		// The mode of a folder changed. It may be readable now.
		if w.polled[key] {
			w.scan(n, false)
		}
		return nil
	}
	if n == nil && moved {
		w.removed(key)
	}
	if (moved || n == nil && e.Has(fsnotify.Write)) && w.config.Skip(key) {
		w.recordChanged(key) // a folder was in the way of a record, too
	}
	if w.check(key) == absent && !moved {
		// It came and went, or the path leads to another folder now, which the
		// system does not report.
		return w.checkDir()
	}
	return nil
}

// removed notes that a file was removed by a user. The pipeline removes records, too, but
// only those whose object is gone for longer than the settle time.
func (w *watcher) removed(key string) {
	object := key
	if w.config.Skip(key) {
		var ok bool
		if object, ok = w.config.RecordOf(key); !ok {
			return
		}
	}
	if _, known := w.known.file(object); known {
		w.removedAt = time.Now()
		w.config.Removed(key)
	}
}

// recordChanged lets the object of a record be announced again, as the record was
// removed or written to. That was not the pipeline: it replaces records by a rename,
// and removes only those whose object is gone or has its new record already.
func (w *watcher) recordChanged(record string) {
	key, ok := w.config.RecordOf(record)
	if !ok || w.config.Skip(key) || w.left(key) || w.known.isInner(key) || !utf8.ValidString(key) {
		return
	}
	if s, err := w.look(key); err == nil && s.kind == file {
		w.settling.again(key, s)
	}
}

// eventsLost plans a scan of the whole folder with a new source: the old one may
// have missed that folders were moved. The scan waits a moment, as much is going on
// where reports are lost.
func (w *watcher) eventsLost(err error) {
	if errors.Is(err, fsnotify.ErrClosed) {
		w.source.Close()
		w.source = noSource{err}
	}
	if w.reopenAt.IsZero() {
		w.config.Log.Warn("changes were missed, the folder will be scanned again", "err", err)
		w.reopenAt = time.Now().Add(w.config.Settle)
	}
}

// reopen replaces the source and scans the whole folder.
func (w *watcher) reopen(initial bool) error {
	w.reopenAt = time.Time{}
	w.source.Close() // an error changes nothing, the source is not used again
	source, err := w.open()
	if err != nil {
		source = noSource{fmt.Errorf("the system does not report changes: %w", err)}
	}
	w.source = source
	return w.scanAll(initial)
}

// next returns when the next thing is due; the zero time if nothing is.
func (w *watcher) next() time.Time {
	if len(w.polled) == 0 {
		w.pollAt = time.Time{}
	} else if w.pollAt.IsZero() {
		w.pollAt = time.Now().Add(w.config.Rescan)
	}
	first := w.settling.next()
	for _, t := range []time.Time{w.pollAt, w.reopenAt, w.checkAt, w.sweepAt} {
		if first.IsZero() || (!t.IsZero() && t.Before(first)) {
			first = t
		}
	}
	return first
}

// due does what is due at a time.
func (w *watcher) due(now time.Time) error {
	// Without the folder all files would seem to be deleted.
	if err := w.checkDir(); err != nil {
		return err
	}
	w.checkAt = now.Add(checkEvery)
	var err error
	switch {
	case !w.reopenAt.IsZero() && !w.reopenAt.After(now):
		err = w.reopen(false)
	case !w.pollAt.IsZero() && !w.pollAt.After(now):
		w.pollAt = time.Time{}
		err = w.poll()
	case !w.sweepAt.After(now):
		w.sweep()
	}
	for range batch {
		u, ok := w.settling.pop(now)
		if !ok || err != nil {
			break
		}
		w.settled(u)
	}
	return err
}

// settled announces what became of a key whose wait is over, unless it has
// changed again.
func (w *watcher) settled(u unsettled) {
	s, err := w.look(u.key)
	if err != nil || s != u.state {
		w.check(u.key)
		if u.again && s.kind == file {
			w.settling.again(u.key, s)
		}
		return
	}
	was, known := w.known.file(u.key)
	if u.again && known && was == s.version && time.Since(w.removedAt) < restoreAfter*w.config.Settle {
		// A user is still removing files. A record that comes back now would be in the way.
		w.settling.again(u.key, s)
		return
	}
	c := change{key: u.key, version: s.version, initial: known && was == unannounced, at: time.Now()}
	switch {
	case s.kind == file:
		w.known.set(u.key, s.version)
	case known || u.again:
		c.version, c.deleted = was, true
		w.known.unset(u.key)
	default:
		return
	}
	w.outbox.put(u.key, c)
	w.checkLinks(u.key)
}
