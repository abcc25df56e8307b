package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/adapters/watch"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/report"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/screen"
	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// The queues in memory that the parts of Local share. They end with Local.
const (
	LocalQueue       = "mem://bucketsum-events"
	localDeadLetters = "mem://bucketsum-dead-letters"
)

// localBacklog is how many files may wait for the worker. The watcher stops at this
// number.
const localBacklog = 1000

// LocalConfig describes the whole flow on one machine.
type LocalConfig struct {
	Dir    string        // the bucket; created if it is missing
	Settle time.Duration // a file that has not changed for so long is complete
	Layout blobstore.Layout
	Out    io.Writer      // receives the report
	Screen *screen.Screen // receives the report instead of Out; nil: there is none
	Worker Config         // Local sets the queues, the bucket and the observers
	// WorkerLog makes the worker write its log. Otherwise only problems that have no
	// line in the report are logged.
	WorkerLog bool
}

// ErrIncomplete means that some files have no checksum, or contradict a claim. The
// report names them.
var ErrIncomplete = errors.New("some files got no checksum")

// local is one run of Local.
type local struct {
	LocalConfig
	dir, name string // the folder without symbolic links, and its name as a bucket
	store     *blobstore.Store
	calm      folder.Calm
	activity  *live.Activity
	report    *report.Report
	waiting   *backlog
	watched   *watch.Folder // the last one that was gone
	folder    *watch.Folder // the one that is watched
	side      lasting
	patience  *patience
	failing   *report.Failing
	skipped   *report.Skipped
	ending    *report.Ending
	unfound   bool // the first look at the folder did not end
}

// Local runs the whole flow until ctx ends: files in a folder become events on a queue
// in memory, and a worker writes their checksums beside them.
func Local(ctx context.Context, c LocalConfig) (err error) {
	c.Worker = c.Worker.withDefaults()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	l := &local{LocalConfig: c, activity: c.Worker.Activity, side: lasting{stop: stop}}
	l.report = report.New(cmp.Or(c.Screen, screen.New(c.Out)), c.Worker.Algorithms, l.activity)
	l.patience = &patience{stopping: ctx, report: l.report, faults: make(map[syscall.Errno]int)}
	l.ending = &report.Ending{Report: l.report, Timeout: c.Worker.DrainTimeout, Resumes: c.Worker.checkpoints}
	if err := l.findFolder(); err != nil {
		return err
	}
	l.failing = &report.Failing{Activity: l.activity, Layout: c.Layout, Bucket: l.name, Algorithms: c.Worker.Algorithms}
	l.skipped = &report.Skipped{Dir: l.dir, RecordOf: l.recordOf}
	began := false
	for again := true; again; {
		var up bool
		up, again, err = l.watchFolder(ctx)
		began = began || up
	}
	err = errors.Join(err, l.side.close())
	if !began {
		return err
	}
	waits, left := l.patience.faultsNow(), ""
	if waits != "" {
		waits = waitingFiles(l.unhandled(), waits)
	} else {
		left = l.left()
	}
	l.report.Summary(l.failing, l.skipped, waits, left)
	if failures, _ := l.failing.List(); err == nil && (len(failures) > 0 || waits != "") {
		return ErrIncomplete
	}
	return err
}

// left says what the next start does; empty if that is nothing.
func (l *local) left() string {
	n := l.unhandled()
	switch {
	case l.unfound:
		return "the rest of the folder is left to the next start"
	case n > 0:
		return report.Thousands(int64(n)) + " left to the next start"
	}
	return ""
}

// watchFolder watches the folder until ctx ends or the folder is gone. In that case it waits
// until the folder is there again, and then reports that it has to be watched again. It
// reports whether it has begun to watch.
func (l *local) watchFolder(ctx context.Context) (began, again bool, err error) {
	folder, err := l.runFolder(ctx)
	_, passes := passingFault(err)
	gone, isGone := errors.AsType[*watch.GoneError](err)
	switch {
	case isGone:
		l.watched = folder
		l.failing.Reset() // the next look at the folder starts anew
		l.report.Told("GONE", l.Dir, gone.Reason+". Watching resumes when it is there again")
	case l.watched != nil && folder == nil && (passes || errors.Is(err, fs.ErrNotExist)):
		// It is not ready, or gone again.
		if !backoff.Sleep(ctx, time.Second) {
			return true, false, nil
		}
	default:
		return folder != nil, false, err
	}
	if !l.watched.Back(ctx) {
		return true, false, nil
	}
	l.report.Line("%s is there again", readable.Name(l.Dir))
	return true, true, nil
}

// runFolder opens the folder and everything else, and runs them. It returns nil instead of
// the folder if it did not begin to watch.
func (l *local) runFolder(ctx context.Context) (watched *watch.Folder, err error) {
	release, err := l.openFolder(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	queues := NewQueues(l.Worker)
	defer func() { err = errors.Join(err, queues.Close()) }()
	publisher, err := queues.Publisher(ctx, LocalQueue)
	if err != nil {
		return nil, err
	}
	l.waiting = &backlog{publisher, make(chan struct{}, localBacklog)}
	folder, err := l.watcher()
	if err != nil {
		return nil, err
	}
	l.folder = folder
	if err := l.side.open(ctx, l.worker().withDefaults()); err != nil {
		return nil, err
	}
	a, err := New(ctx, l.worker())
	if err != nil {
		return nil, err
	}
	l.greet(a)
	// The screen lives until the work has ended, not only until it is told to end.
	shown, hide := context.WithCancel(context.WithoutCancel(ctx))
	telling, stopTelling := context.WithCancel(ctx)
	var showing sync.WaitGroup
	showing.Go(func() { l.showProgress(shown) })
	showing.Go(func() { l.tellStart(telling) })
	showing.Go(func() { l.ending.Run(ctx, shown) })
	err = a.Run(ctx, func(watching context.Context) error {
		err := folder.Run(watching)
		if gone, ok := errors.AsType[*watch.GoneError](err); ok {
			err = errors.Join(err, l.showGone(ctx, gone))
		}
		return err
	})
	if ctx.Err() != nil {
		err = errors.Join(err, l.side.close()) // uploads may still need the folder
	}
	err = errors.Join(err, a.Close())
	hide()
	stopTelling()
	showing.Wait()
	l.unfound = !isClosed(folder.Ready())
	return folder, err
}

// unhandled returns how many files wait for the worker or are in work.
func (l *local) unhandled() int { return unhandled(l.folder, l.waiting) }

// recordOf returns the object that the record at a key is of.
func (l *local) recordOf(key string) (string, bool) {
	object, _, ok := l.Layout.ObjectKey(key)
	return object, ok
}

// findFolder finds the folder, and creates it if it is missing.
func (l *local) findFolder() error {
	full, err := filepath.Abs(l.Dir)
	if err != nil {
		return err
	}
	l.name = filepath.Base(full)
	_, missing := os.Stat(full)
	if err := os.MkdirAll(full, 0o777); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	if errors.Is(missing, fs.ErrNotExist) {
		l.report.Line("made the folder %s", readable.Name(l.Dir))
	}
	// The store and the watcher must use the same folder, even if a symbolic link on the
	// way to it changes.
	l.dir, err = filepath.EvalSymlinks(full)
	return err
}

// openFolder opens the folder as a bucket, for this process alone until release is called.
func (l *local) openFolder(ctx context.Context) (release func() error, err error) {
	bucket, err := folder.OpenCalm(l.dir, &l.calm)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", l.name, err)
	}
	l.store = blobstore.New(bucket, l.name, blobstore.Config{Layout: l.Layout, Algorithms: l.Worker.Algorithms})
	if err := l.store.CheckWritable(); err != nil {
		return nil, errors.Join(err, l.store.Close())
	}
	unlock, err := folder.Reserve(l.dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w; stop it, or name another folder", l.Dir, err), l.store.Close())
	}
	release = func() error { return errors.Join(l.store.Close(), unlock()) }
	if err := l.store.CleanUp(ctx); err != nil && ctx.Err() == nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}

// watcher returns the folder as a source of events.
func (l *local) watcher() (*watch.Folder, error) {
	records := l.store.Bucket().Records
	return watch.NewFolder(watch.Config{
		Dir:       l.dir,
		Bucket:    l.name,
		Publisher: l.waiting,
		Topic:     LocalQueue,
		Skip:      records.IsRecord,
		Leave:     l.leave,
		Skipped:   func(key string, why watch.Skip) { l.skipped.Add(key, watchSkips[why]) },
		Current: func(ctx context.Context, o pipeline.Object) (bool, error) {
			record, _, err := records.Lookup(ctx, o)
			if err == nil && record.Covers(o, l.Worker.Algorithms) {
				if l.watched == nil { // else it has counted before
					l.activity.HadRecord()
				}
				return true, nil
			}
			return false, nil
		},
		Remembered: l.store.Recorded,
		Removed:    l.calm.Removed,
		RecordOf:   l.recordOf,
		Unreadable: func(key string, err error) {
			key += "/"
			if err == nil {
				l.failing.Mended(key)
				return
			}
			if _, passes := passingFault(err); passes {
				l.Worker.Log.Warn("folder cannot be read now and is tried again", "key", key, "err", err)
				return
			}
			l.fail(key, fmt.Sprintf("the folder cannot be read, and its files get no checksums: %v", err))
		},
		Inner: func(key string) {
			l.skipped.Add(key, report.SkipInner)
			l.report.Line("%s is left alone: it is a bucket of its own, with its records in %s/%s; run bucketsum local on it", readable.Name(key+"/"), readable.Name(key), filebucket.Hidden)
		},
		Unaddressable: func(key string, err error) {
			if err == nil {
				l.failing.Mended(key)
				return
			}
			l.fail(key, err.Error())
		},
		Settle: l.Settle,
		Log:    l.Worker.Log,
	})
}

// leave reports whether a key belongs to a system of version control.
func (l *local) leave(key string) bool {
	name := filebucket.VersionControl(key)
	if name == "" || l.Worker.includesName(name) {
		return false
	}
	before, _, _ := strings.Cut("/"+key+"/", "/"+name+"/")
	l.skipped.Add(strings.TrimPrefix(before+"/"+name, "/"), report.SkipVersions)
	return true
}

// fail reports what gets no checksum and has no event.
func (l *local) fail(key, reason string) {
	l.activity.Fail(pipeline.Object{Bucket: l.name, Key: key}, reason)
	l.failed(report.Failure{Key: key, Reason: reason})
}

// worker returns the Config of the worker that handles the events of the folder.
func (l *local) worker() Config {
	c := l.Worker
	c.Queue, c.Continue, c.DeadLetter = LocalQueue, LocalQueue, localDeadLetters
	c.Stores = map[string]*blobstore.Store{l.name: l.store}
	c.Sources = map[string]string{l.name: (&url.URL{Scheme: "file", Path: filepath.ToSlash(l.dir)}).String()}
	c.side = l.side.side
	c.Activity, c.Observer = l.activity, pipeline.Observers(c.Observer, l.observer())
	c.Waiting = l.waits(l.folder, l.waiting)
	c.Folder, c.First, c.BucketConfig.Layout = l.dir, "cp FILE "+shellPath(l.Dir), l.Layout
	c.wrap, c.requeue = l.patience.of, l.waiting
	c.objects = map[string]web.Objects{l.name: folderObjects{l.store, l.Worker.selects}}
	c.Retry = pipeline.Retry{Max: 2, Initial: 200 * time.Millisecond}
	c.MaxDeliveries = 3
	c.Hosts = []string{"localhost"}
	c.webLog = l.Worker.Log // its answers say that the log says why
	if !l.WorkerLog {
		c.Log = slog.New(slog.DiscardHandler) // the report has a line for every object
	}
	return c
}

// shellPath returns the path of a folder for a command line.
func shellPath(dir string) string {
	dir = strings.TrimSuffix(dir, "/") + "/"
	if strings.ContainsFunc(dir, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-", r)
	}) {
		return "'" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
	}
	return dir
}

// greet prints where the files go and where the page is.
func (l *local) greet(a *App) {
	var records []string
	for _, alg := range l.Worker.Algorithms {
		records = append(records, readable.Name(l.Layout.RecordKey("FILE", alg)))
	}
	checksums := "checksum"
	if len(records) > 1 {
		checksums = "checksums"
	}
	l.report.Line("%s is the bucket: copy FILE into it, and its %s will be in %s", readable.Name(l.Dir), checksums, enumerate(records))
	if a.listener != nil {
		l.report.Line("%s is the page; Ctrl-C ends", a.pageURL())
		if !a.isLoopback() {
			l.report.Line("everyone who reaches that address can read the names and checksums of the files")
		}
	} else {
		l.report.Line("Ctrl-C ends")
	}
}

// enumerate joins words: "a, b and c".
func enumerate(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
