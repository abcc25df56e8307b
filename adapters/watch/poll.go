package watch

import (
	"cmp"
	"errors"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// startPolling lets a folder be scanned at intervals, as the system does not
// report all that happens in it.
func (w *watcher) startPolling(key string, why error) {
	was := w.polled[key]
	w.polled[key] = true
	if e, ok := errors.AsType[*unreadableError](why); ok {
		if !w.unreadable[key] {
			w.unreadable[key] = true
			w.config.Unreadable(key, e.err)
		}
		return
	}
	w.reportReadable(key)
	sysctl := exhausted(why)
	if sysctl == "" && !w.hasNoSource() {
		if !was {
			w.config.Log.Warn("folder cannot be watched completely and is scanned at intervals",
				"folder", w.path(key), "interval", w.config.Rescan.String(), "err", why)
		}
		return
	}
	// The reason is not the folder's: one line stands for all folders.
	if !w.limited {
		w.config.Log.Warn("folders that the system does not watch are scanned at intervals",
			"folder", w.path(key), "interval", w.config.Rescan.String(), "raise", sysctl, "err", why)
	}
	w.limited = true
}

func (w *watcher) stopPolling(key string) {
	delete(w.polled, key)
	w.reportReadable(key)
}

// reportReadable takes back the report that a folder cannot be read.
func (w *watcher) reportReadable(key string) {
	if w.unreadable[key] {
		delete(w.unreadable, key)
		w.config.Unreadable(key, nil)
	}
}

// unreadableError is why a folder, or something in it, cannot be looked at.
type unreadableError struct{ err error }

func (e *unreadableError) Error() string { return e.err.Error() }

// poll scans the polled folders. If there is no source it first tries to open
// one.
func (w *watcher) poll() error {
	if w.hasNoSource() {
		if source, err := w.open(); err == nil {
			w.source = source
			w.config.Log.Info("the system reports changes again")
			return w.scanAll(false)
		}
	}
	for key := range w.polled {
		n := w.known.folder(key)
		switch {
		case w.stopped():
			return nil
		case n == nil || n.gone:
			w.stopPolling(key)
		case !w.isPolledAbove(key): // else the scan of that folder includes it
			w.scan(n, false)
		}
	}
	if w.limited && len(w.polled) == 0 {
		w.limited = false
		w.config.Log.Info("all folders are watched again")
	}
	return nil
}

// mappedFor is for how long a program can write through a memory map without changing the
// file's times again: until the system has written the page to the disk, on Linux about half
// a minute.
const mappedFor = time.Minute

// sweep scans everything for changes that were not reported.
func (w *watcher) sweep() {
	w.sweeping = true
	w.scan(w.known, false)
	w.sweeping = false
	w.sweepAt = time.Now().Add(w.config.Sweep)
}

// tooFresh reports whether the sweep leaves a change to the next one: a memory map may be
// behind it, so that the content may still change without a change of the times.
func (w *watcher) tooFresh(v filebucket.Version) bool {
	age := time.Since(time.Unix(0, cmp.Or(v.Changed, v.Modified)))
	return w.sweeping && age >= 0 && age < mappedFor
}

func (w *watcher) isPolledAbove(key string) bool {
	for key != "" {
		key, _ = split(key)
		if w.polled[key] {
			return true
		}
	}
	return false
}
