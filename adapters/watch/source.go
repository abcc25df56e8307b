package watch

import (
	"errors"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// source tells what happens in folders that were added, not in the folders in
// them. A watch belongs to a folder, not to its path: a folder that was moved
// must be removed under its old path before it is added under the new one.
//
// Add may drop what has happened in the folder and was not yet told.
type source interface {
	Add(path string) error
	Remove(path string) error
	Events() <-chan fsnotify.Event
	Errors() <-chan error
	Close() error
}

// watcher is the system's source.
type watcher struct {
	*fsnotify.Watcher
	errors chan error
	ended  chan struct{}
}

func openWatcher() (source, error) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{fs, make(chan error, 1), make(chan struct{})}
	go w.passErrors()
	return w, nil
}

// passErrors takes the errors at once: fsnotify may hold a lock while it sends
// one, which Add and Remove wait for. One that is not yet looked at stands for all,
// as every one has the same consequence.
func (w *watcher) passErrors() {
	defer close(w.ended)
	for err := range w.Watcher.Errors {
		if errors.Is(err, syscall.EINVAL) {
			continue // it removed a watch that the system had removed already
		}
		select {
		case w.errors <- err:
		default:
		}
	}
}

// Add takes away the watch that the path had before, which may be one of another
// folder. fsnotify would keep parts of both.
func (w *watcher) Add(path string) error {
	w.Watcher.Remove(path) // mostly there is none
	return w.Watcher.Add(path)
}

func (w *watcher) Events() <-chan fsnotify.Event { return w.Watcher.Events }
func (w *watcher) Errors() <-chan error          { return w.errors }

func (w *watcher) Close() error {
	err := w.Watcher.Close()
	<-w.ended
	return err
}

// deaf is the source when there is none, so that all folders are scanned at
// intervals.
type deaf struct{ err error }

func (d deaf) Add(string) error            { return d.err }
func (deaf) Remove(string) error           { return nil }
func (deaf) Events() <-chan fsnotify.Event { return nil }
func (deaf) Errors() <-chan error          { return nil }
func (deaf) Close() error                  { return nil }

// limit names the setting that an error says is exhausted; empty if it says
// something else.
func limit(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "fs.inotify.max_user_watches"
	case errors.Is(err, syscall.EMFILE):
		return "fs.inotify.max_user_instances" // or the process's open files
	case errors.Is(err, syscall.ENFILE):
		return "fs.file-max"
	}
	return ""
}
