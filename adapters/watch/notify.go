package watch

import (
	"errors"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// source reports what happens in the folders that were added, but not in the
// folders in them. A watch belongs to a folder, not to its path: a folder that was
// moved must be removed by its old path before it is added by the new one. Add may
// drop reports of the folder that were not yet received.
//
// Tests replace the system's source by their own.
type source interface {
	Add(path string) error
	Remove(path string) error
	Events() <-chan fsnotify.Event
	Errors() <-chan error
	Close() error
}

// notifier is the system's source: inotify, kqueue and so on, by fsnotify.
type notifier struct {
	*fsnotify.Watcher
	errors chan error
	ended  chan struct{}
}

func openNotifier() (source, error) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	n := &notifier{fs, make(chan error, 1), make(chan struct{})}
	go n.passErrors()
	return n, nil
}

// passErrors takes errors at once: fsnotify may hold a lock while it sends one, and
// Add and Remove wait for that lock. All errors have the same consequence, so
// that one that was not yet received stands for all.
func (n *notifier) passErrors() {
	defer close(n.ended)
	for err := range n.Watcher.Errors {
		if errors.Is(err, syscall.EINVAL) {
			continue // it removed a watch that the system had removed already
		}
		select {
		case n.errors <- err:
		default:
		}
	}
}

// Add first removes the watch that the path had, which may be that of another
// folder. fsnotify would keep parts of both.
func (n *notifier) Add(path string) error {
	n.Watcher.Remove(path) // mostly there is none
	return n.Watcher.Add(path)
}

func (n *notifier) Events() <-chan fsnotify.Event { return n.Watcher.Events }
func (n *notifier) Errors() <-chan error          { return n.errors }

func (n *notifier) Close() error {
	err := n.Watcher.Close()
	<-n.ended
	return err
}

// noSource stands for a source that could not be opened or has ended. As Add
// fails, all folders are scanned at intervals.
type noSource struct{ err error }

func (s noSource) Add(string) error            { return s.err }
func (noSource) Remove(string) error           { return nil }
func (noSource) Events() <-chan fsnotify.Event { return nil }
func (noSource) Errors() <-chan error          { return nil }
func (noSource) Close() error                  { return nil }

func (w *watcher) hasNoSource() bool { _, none := w.source.(noSource); return none }

// exhausted returns the name of the setting whose limit an error reports; empty
// if the error reports something else.
func exhausted(err error) string {
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
