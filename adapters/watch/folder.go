package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Config is the configuration of a [Folder]. Dir, Bucket, Publisher and Topic
// are needed; of the others the zero value is the default.
type Config struct {
	Dir       string // the folder, which must exist
	Bucket    string // the name that events carry
	Publisher message.Publisher
	Topic     string

	// Skip reports whether files of this key are never announced, such as
	// records. It must be quick. Default: none is skipped.
	Skip func(key string) bool
	// Current reports whether the work for this very version of the object
	// was done before, so that a file which was there at the start need not be
	// announced. After an error it is announced. Default: nothing was done.
	Current func(ctx context.Context, o pipeline.Object) (bool, error)
	// Remembered yields the keys of objects that something is remembered of.
	// After the first scan, those that are no longer there are announced as
	// deleted. Default: none.
	Remembered func(ctx context.Context) iter.Seq2[string, error]
	// Unaddressable is told once of each file that can never be an object,
	// and why: its name is not UTF-8, its path is too long. It must be quick.
	// Default: a warning in the log.
	Unaddressable func(key string, err error)
	// RecordOf returns the key of the object whose record may be at a key that
	// is skipped. When that is removed or written to, the object is announced once
	// more; what replaces a record whole may be a new record and is not seen.
	// Default: nothing is announced again.
	RecordOf func(key string) (object string, ok bool)
	// Unreadable is told of each folder that cannot be read, and why, and again
	// with no error when it can be read or is gone. It must be quick. Default: a
	// warning in the log.
	Unreadable func(key string, err error)
	// Inner is told once of each folder in the folder that is a bucket of its
	// own, as records of another bucketsum lie in it: nothing in it is announced.
	// It must be quick. Default: a warning in the log.
	Inner func(key string)
	// Settle is how long size and modification time of a file must stay the
	// same before it counts as completely written. Default 500 ms.
	Settle time.Duration
	// Rescan is how often folders are scanned that the system does not tell
	// about: those beyond its limit of watches and unreadable ones. Default 5 s.
	Rescan time.Duration
	Log    *slog.Logger // default: discarded
}

// Validate returns everything that is wrong with the configuration.
func (c Config) Validate() error {
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("no folder"))
	}
	if c.Bucket == "" {
		faults = append(faults, errors.New("no bucket name"))
	}
	if c.Publisher == nil {
		faults = append(faults, errors.New("no publisher"))
	}
	if c.Topic == "" {
		faults = append(faults, errors.New("no topic"))
	}
	if c.Settle < 0 {
		faults = append(faults, errors.New("settle time is negative"))
	}
	if c.Rescan < 0 {
		faults = append(faults, errors.New("rescan interval is negative"))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("bucket", c.Bucket)
	if c.Skip == nil {
		c.Skip = func(string) bool { return false }
	}
	if c.Unaddressable == nil {
		log := c.Log
		c.Unaddressable = func(key string, err error) {
			log.Warn("file cannot be an object", "key", key, "err", err)
		}
	}
	if c.RecordOf == nil {
		c.RecordOf = func(string) (string, bool) { return "", false }
	}
	if c.Unreadable == nil {
		log := c.Log
		c.Unreadable = func(key string, err error) {
			if err != nil {
				log.Warn("folder cannot be read", "key", key, "err", err)
			}
		}
	}
	if c.Inner == nil {
		log := c.Log
		c.Inner = func(key string) { log.Warn("folder is a bucket of its own and is not looked at", "key", key) }
	}
	if c.Settle == 0 {
		c.Settle = 500 * time.Millisecond
	}
	if c.Rescan == 0 {
		c.Rescan = 5 * time.Second
	}
	return c
}

// Folder announces what happens to the files of a folder and of the folders in
// it: "Object Created" when a file is new or has new content and is completely
// written, "Object Deleted" when one is gone. A file that is renamed is both. What
// comes and goes within the settle time is not announced.
//
// A symbolic link to a file in the folder is a file; other links, devices, pipes
// and sockets are nothing. The key of a file is its path in the folder, with
// slashes, never escaped.
//
// While Run runs, nothing is lost: not by a publisher that fails, not by events
// that the system drops. Each key's events are published in their order. What was
// created and is not yet published when something else happens to the file is
// announced as it is then.
type Folder struct {
	config Config
	dir    string      // without symbolic links
	info   fs.FileInfo // of dir
	open   func() (source, error)
	ready  chan struct{}
	asked  requests
}

// NewFolder returns the folder, which is not watched before Run.
func NewFolder(c Config) (*Folder, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("watch a folder: %w", err)
	}
	f := &Folder{config: c.withDefaults(), open: openWatcher, ready: make(chan struct{}), asked: newRequests()}
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
	f.dir = dir
	return f, nil
}

// Ready is closed when the first scan is done: from then on what happens is
// seen as it happens, and all that was there is on its way.
func (f *Folder) Ready() <-chan struct{} { return f.ready }

// Look looks at a key for which something was not as it was announced, in case
// the system does not tell of the change: of a new hard link to a file, or of what is
// written to it by another name. It never blocks.
func (f *Folder) Look(key string) { f.asked.put(key) }

// Run watches until ctx ends, which is no error, or until there is no folder to
// watch any more. It may be called once. It returns when the publisher has, and
// what was not published by then is found by the first scan of the next Folder.
func (f *Folder) Run(ctx context.Context) error {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return fmt.Errorf("watch %s: %w", f.dir, err)
	}
	defer root.Close()
	ctx, cancel := context.WithCancel(ctx)
	box := newOutbox()
	w := newWatch(f, root, box)
	var publishing sync.WaitGroup
	publishing.Go(func() { publishAll(ctx, f.config, box) })
	defer publishing.Wait()
	defer cancel()
	if err := w.run(ctx, f.ready, f.asked); err != nil {
		return fmt.Errorf("watch %s: %w", f.dir, err)
	}
	return nil
}
