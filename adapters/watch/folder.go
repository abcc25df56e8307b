package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Folder announces what happens to the files of a folder and of the folders in
// it: "Object Created" when a file is new or has new content and is completely
// written, "Object Deleted" when a file is gone. A rename is both. A file that
// appears and disappears within the settle time is not announced.
//
// A symbolic link to a file in the folder is a file. Other links, devices, pipes
// and sockets are left out. The key of a file is its path in the folder, with
// slashes and never escaped.
//
// While Run runs, no change is lost: not by a publisher that fails, and not by
// reports that the system drops. The events of one key are published in their
// order. If a file changes again before its event is published, only the later
// change is announced.
type Folder struct {
	config Config
	dir    string      // without symbolic links
	info   fs.FileInfo // of dir
	mount  bool        // a file system is mounted at dir
	open   func() (source, error)
	ready  chan struct{}

	outbox  *mailbox
	found   atomic.Int64 // files that the first scan has found
	waiting atomic.Int64 // keys that wait until they have not changed
}

// Progress is how far a [Folder] is.
type Progress struct {
	Found   int // files that the first scan has found so far
	Waiting int // changes that are not published yet
}

// Progress returns how far the folder is. Safe for concurrent use.
func (f *Folder) Progress() Progress {
	return Progress{Found: int(f.found.Load()), Waiting: int(f.waiting.Load()) + f.outbox.len()}
}

// NewFolder returns the folder. It is not watched before Run.
func NewFolder(c Config) (*Folder, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("watch a folder: %w", err)
	}
	f := &Folder{config: c.withDefaults(), open: openNotifier, ready: make(chan struct{}), outbox: newMailbox()}
	dir, err := filepath.Abs(c.Dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err == nil {
		f.info, err = os.Stat(dir)
	}
	if err == nil && !f.info.IsDir() {
		err = errors.New("it is not a folder")
	}
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", c.Dir, err)
	}
	f.dir, f.mount = dir, isMount(dir, f.info)
	return f, nil
}

// Ready returns a channel that is closed when the first scan is done. By then
// all files that existed at the start wait to be announced, and later changes are
// seen as they happen.
func (f *Folder) Ready() <-chan struct{} { return f.ready }

// Run watches until ctx ends, which is no error, or until the folder is deleted,
// moved, unmounted or replaced, which is a [GoneError]. It must be called once only. It
// returns when the publisher has returned; the first scan of the next Folder finds what was not published.
func (f *Folder) Run(ctx context.Context) error {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return fmt.Errorf("watch %s: %w", f.dir, err)
	}
	defer root.Close()
	ctx, cancel := context.WithCancel(ctx)
	w := newWatcher(f, root)
	var publishing sync.WaitGroup
	publishing.Go(func() { publishAll(ctx, f.config, w.outbox) })
	defer publishing.Wait()
	defer cancel()
	if err := w.run(ctx); err != nil {
		return fmt.Errorf("watch %s: %w", f.dir, err)
	}
	return nil
}
