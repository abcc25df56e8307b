package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/fsnotify/fsnotify"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// batch is how many keys are settled before the system's events are looked at
// again.
const batch = 256

// watch is the state of a Folder that runs. One goroutine has it.
type watch struct {
	config Config
	log    *slog.Logger
	dir    string
	info   fs.FileInfo // of dir when the watch began
	root   *os.Root    // of dir
	open   func() (source, error)
	source source
	box    *outbox
	// stopped reports whether the watch has to end.
	stopped func() bool

	known      *node
	folders    map[identity]*node // those that were entered
	settling   *settling
	links      map[string]map[string]bool // links by what they lead to
	mistrusted map[string]struct{}        // folders that are scanned at intervals
	unreadable map[string]struct{}        // those of which that was said
	limited    bool                       // some of them because of a limit

	rescanAt time.Time // of the mistrusted; zero: never
	reopenAt time.Time // of the source; zero: never
}

func newWatch(f *Folder, root *os.Root, box *outbox) *watch {
	return &watch{
		config: f.config, log: f.config.Log, dir: f.dir, info: f.info, root: root, open: f.open, box: box,
		known:      &node{},
		folders:    make(map[identity]*node),
		settling:   newSettling(f.config.Settle),
		links:      make(map[string]map[string]bool),
		mistrusted: make(map[string]struct{}),
		unreadable: make(map[string]struct{}),
	}
}

// run watches until ctx ends or the folder is gone, and closes ready after the
// first scan.
func (w *watch) run(ctx context.Context, ready chan<- struct{}, asked requests) error {
	w.stopped = func() bool { return ctx.Err() != nil }
	w.source = deaf{}
	defer func() { w.source.Close() }()
	if err := w.reopen(pass{initial: true}); err != nil || w.stopped() {
		return err
	}
	w.mourn(ctx)
	close(ready)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		// One timer for whatever is due first; none while nothing is.
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
				w.fail(fsnotify.ErrClosed)
			}
		case <-asked.filled:
			for _, key := range asked.take() {
				w.see(key, pass{})
			}
		case e := <-w.source.Errors():
			w.fail(e)
		case <-timer.C:
			err = w.due(time.Now())
		}
		if err != nil {
			return err
		}
	}
}

// mourn announces what was deleted while nobody watched. What comes back
// meanwhile is seen after that.
func (w *watch) mourn(ctx context.Context) {
	if w.config.Remembered == nil {
		return
	}
	for key, err := range w.config.Remembered(ctx) {
		if w.stopped() {
			return
		}
		if err != nil {
			w.log.Warn("cannot tell all that was deleted meanwhile", "key", key, "err", err)
			continue
		}
		if _, err := w.root.Lstat(filepath.FromSlash(key)); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			w.box.put(change{key: key, deleted: true, at: time.Now()})
		}
	}
}

// handle does what is to be done about one of the system's events.
func (w *watch) handle(e fsnotify.Event) error {
	key, ok := w.key(e.Name)
	if !ok || filebucket.IsHidden(key) {
		return nil
	}
	moved := e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)
	if key == "" && moved {
		if err := w.present(); err != nil {
			return err
		}
		w.fail(errors.New("the folder was moved away and back"))
		return nil
	}
	n := w.known.folder(key)
	if n != nil && moved {
		w.forget(n)
	}
	if n != nil && !n.gone && !e.Has(fsnotify.Create) {
		// The mode of a folder changed, which matters if it kept us out.
		if _, ok := w.mistrusted[key]; ok {
			w.enter(n, pass{})
		}
		return nil
	}
	if n == nil && (moved || e.Has(fsnotify.Write)) && w.config.Skip(key) {
		w.unrecorded(key)
	}
	if w.see(key, pass{}) == absent && !moved {
		// It came and went, or the way to the folder is another now, of which
		// the system does not tell.
		return w.present()
	}
	return nil
}

// unrecorded lets the object of a record be announced again that was removed or
// written to. The pipeline does not write to records, it replaces them, and what it
// removes has no object, or one that has its record already.
func (w *watch) unrecorded(record string) {
	key, ok := w.config.RecordOf(record)
	if !ok || w.config.Skip(key) || w.known.isInner(key) || !utf8.ValidString(key) {
		return
	}
	if s, err := w.look(key); err == nil && s.kind == file {
		w.settling.again(key, s, time.Now())
	}
}

// deaf reports whether the system tells of nothing.
func (w *watch) deaf() bool { _, ok := w.source.(deaf); return ok }

// fail takes note that events were lost. The folder is scanned with a new
// source, as the old one may have missed that folders were moved. That waits a
// moment: where events were lost there is much going on.
func (w *watch) fail(err error) {
	if errors.Is(err, fsnotify.ErrClosed) {
		w.source.Close()
		w.source = deaf{err}
	}
	if w.reopenAt.IsZero() {
		w.log.Warn("changes were missed, the folder will be scanned again", "err", err)
		w.reopenAt = time.Now().Add(w.config.Settle)
	}
}

// reopen begins with a new source and scans everything.
func (w *watch) reopen(p pass) error {
	w.reopenAt = time.Time{}
	// Its error is of no consequence, nothing is expected of it any more.
	w.source.Close()
	source, err := w.open()
	if err != nil {
		source = deaf{fmt.Errorf("the system does not tell of changes: %w", err)}
	}
	w.source = source
	return w.scan(p)
}

// scan goes through all folders.
func (w *watch) scan(p pass) error {
	if err := w.present(); err != nil {
		return err
	}
	clear(w.mistrusted)
	w.limited = false
	w.known.gone = false
	w.enter(w.known, p)
	return nil
}

// present returns an error if the folder is not there any more, or is another.
func (w *watch) present() error {
	info, err := os.Lstat(w.dir)
	switch {
	case gone(err):
		return errors.New("the folder was deleted or moved away while it was watched")
	case err == nil && !os.SameFile(info, w.info):
		return errors.New("the folder was replaced by another while it was watched")
	}
	return err
}

// next returns when something is due; the zero time if nothing is.
func (w *watch) next() time.Time {
	if len(w.mistrusted) == 0 {
		w.rescanAt = time.Time{}
	} else if w.rescanAt.IsZero() {
		w.rescanAt = time.Now().Add(w.config.Rescan)
	}
	first := w.settling.next()
	for _, t := range []time.Time{w.rescanAt, w.reopenAt} {
		if first.IsZero() || (!t.IsZero() && t.Before(first)) {
			first = t
		}
	}
	return first
}

// due does what is due.
func (w *watch) due(now time.Time) error {
	// Without the folder all files would seem deleted.
	if err := w.present(); err != nil {
		return err
	}
	var err error
	switch {
	case !w.reopenAt.IsZero() && !w.reopenAt.After(now):
		err = w.reopen(pass{})
	case !w.rescanAt.IsZero() && !w.rescanAt.After(now):
		w.rescanAt = time.Time{}
		err = w.rescan()
	}
	for range batch {
		u, ok := w.settling.pop(now)
		if !ok || err != nil {
			break
		}
		w.settle(u)
	}
	return err
}

// settle announces what has become of a key that waited, if nothing happened to
// it meanwhile.
func (w *watch) settle(u unsettled) {
	s, err := w.look(u.key)
	if err != nil || s != u.seen {
		w.see(u.key, pass{})
		if u.again && s.kind == file {
			w.settling.again(u.key, s, time.Now())
		}
		return
	}
	was, known := w.known.file(u.key)
	c := change{key: u.key, stamp: s.stamp, initial: known && was == unannounced, at: time.Now()}
	switch {
	case s.kind == file:
		w.known.set(u.key, s.stamp)
	case known:
		c.stamp, c.deleted = was, true
		w.known.unset(u.key)
	default:
		return
	}
	w.box.put(c)
	w.relink(u.key)
}
