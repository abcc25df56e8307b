package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/adapters/watch"
	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// The queues of Local, which end with it.
const (
	localEvents      = "mem://bucketsum-events"
	localDeadLetters = "mem://bucketsum-dead-letters"
)

// LocalConfig describes the whole flow on one machine.
type LocalConfig struct {
	Dir    string        // the bucket; made if it is missing
	Settle time.Duration // how long a file must not change to count as completely written
	Layout blobstore.Layout
	Out    io.Writer // gets the report
	// Worker is the rest. Local sets its queues and its bucket.
	Worker Config
	// WorkerLog makes the worker log, too; else only what has no line in the report is
	// logged.
	WorkerLog bool
}

// ErrIncomplete means that some files got no checksum, or have one that is not as
// claimed. The report has named them.
var ErrIncomplete = errors.New("some files got no checksum")

// Local runs the whole flow until ctx ends: files that land in a folder become events
// on a queue in memory, and their checksums lie beside them.
func Local(ctx context.Context, c LocalConfig) (err error) {
	full, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	name := filepath.Base(full)
	// Whoever reads it and whoever watches it must mean the same folder, whatever
	// becomes of a link on the way to it.
	if full, err = makeFolder(full); err != nil {
		return err
	}
	store, err := openLocalFolder(ctx, full, name, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	log := c.Worker.Log
	activity := web.NewActivity()
	report := newReport(c.Out, c.Worker.Algorithms[0], activity)

	queues := NewQueues(QueuesConfig{Drivers: c.Worker.Drivers, Concurrency: c.Worker.Concurrency, DrainTimeout: c.Worker.DrainTimeout, Log: log})
	defer func() { err = errors.Join(err, queues.Close()) }()
	publisher, err := queues.Publisher(ctx, localEvents)
	if err != nil {
		return err
	}
	failed, err := queues.Subscriber(localDeadLetters)
	if err != nil {
		return err
	}
	waiting := newBacklog(publisher, 1000)
	folder, err := newLocalFolder(c, localFolder{dir: full, name: name, store: store, publisher: waiting, activity: activity, report: report})
	if err != nil {
		return err
	}
	worker := c.Worker
	worker.Queue, worker.Continue, worker.DeadLetter = localEvents, localEvents, localDeadLetters
	worker.Stores = map[string]*blobstore.Store{name: store}
	worker.Sources = map[string]string{name: (&url.URL{Scheme: "file", Path: filepath.ToSlash(full)}).String()}
	worker.Activity, worker.Observer.Result = activity, report.result
	worker.Observer.End = func(_ context.Context, d pipeline.Delivery) {
		waiting.handled(d)
		for _, h := range d.Events {
			// Such an event is dropped as there is a newer one. Here that may
			// not be so: the system does not tell of every change.
			if errors.Is(h.Err, pipeline.ErrChanged) {
				folder.Look(h.Event.Object.Key)
			}
		}
	}
	worker.Retry = pipeline.Retry{Max: 2, Initial: 200 * time.Millisecond}
	worker.MaxDeliveries = 3
	worker.Hosts = []string{"localhost"}
	if !c.WorkerLog {
		// The report tells of every object; its user wants no second account.
		worker.Log = slog.New(slog.DiscardHandler)
	}
	a, err := New(ctx, worker)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	report.line("%s is the bucket: copy FILE into it, and its checksum will be in %s", readable.Name(c.Dir),
		readable.Name(c.Layout.RecordKey("FILE", c.Worker.Algorithms[0])))
	if a.listener != nil {
		report.line("http://%s/ is the page; Ctrl-C ends", a.Address())
	}
	err = a.Run(ctx, folder.Run, report.showProgress, func(ctx context.Context) error {
		return showDeadLetters(ctx, failed, report)
	})
	err = errors.Join(err, a.Close()) // before the last word
	report.summary()
	if totals := activity.Status().Totals; err == nil && totals.Failed+totals.Mismatched > 0 {
		return ErrIncomplete
	}
	return err
}

// localFolder is what the watching of a folder has to do with.
type localFolder struct {
	dir, name string
	store     *blobstore.Store
	publisher message.Publisher
	activity  *web.Activity
	report    *report
}

// newLocalFolder returns the folder as what sends events.
func newLocalFolder(c LocalConfig, f localFolder) (*watch.Folder, error) {
	bucket := f.store.Bucket()
	return watch.NewFolder(watch.Config{
		Dir:       f.dir,
		Bucket:    f.name,
		Publisher: f.publisher,
		Topic:     localEvents,
		Skip:      bucket.Records.IsRecord,
		Current: func(ctx context.Context, o pipeline.Object) (bool, error) {
			record, err := bucket.Records.Lookup(ctx, o)
			if err == nil && record.Covers(o, c.Worker.Algorithms) {
				f.activity.HadRecord()
				return true, nil
			}
			return false, nil
		},
		Remembered: f.store.Recorded,
		RecordOf: func(key string) (string, bool) {
			object, _, ok := c.Layout.ObjectKey(key)
			return object, ok
		},
		Unreadable: func(key string, err error) {
			o := pipeline.Object{Bucket: f.name, Key: key + "/"}
			if err == nil {
				f.activity.Mended(o)
				return
			}
			reason := fmt.Sprintf("the folder cannot be read, and what is in it gets no checksums: %v", err)
			f.activity.Fail(o, reason)
			f.report.failure(o.Key, reason)
		},
		Inner: func(key string) {
			f.report.line("%s is left alone: it is a bucket of its own, with its records in %s/%s; run bucketsum local on it", readable.Name(key+"/"), readable.Name(key), filebucket.Hidden)
		},
		Unaddressable: func(key string, err error) {
			f.activity.Fail(pipeline.Object{Bucket: f.name, Key: key}, err.Error())
			f.report.failure(key, err.Error())
		},
		Settle: c.Settle,
		Log:    c.Worker.Log,
	})
}

// makeFolder makes the folder if it is missing, and returns its path without
// symbolic links.
func makeFolder(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", fmt.Errorf("make the folder: %w", err)
	}
	return filepath.EvalSymlinks(dir)
}

// openLocalFolder opens the folder as a bucket.
func openLocalFolder(ctx context.Context, dir, name string, c LocalConfig) (*blobstore.Store, error) {
	bucket, err := folder.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	store := blobstore.New(bucket, name, blobstore.Config{Layout: c.Layout, Algorithms: c.Worker.Algorithms})
	if err := store.CheckWritable(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if err := store.CleanUp(ctx); err != nil && ctx.Err() == nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// showDeadLetters prints why messages could not be handled, until ctx ends.
func showDeadLetters(ctx context.Context, from message.Subscriber, report *report) error {
	deadLetters, err := from.Subscribe(ctx, localDeadLetters)
	if err != nil {
		return err
	}
	for msg := range deadLetters {
		key := "message " + msg.UUID
		if es, err := events.Decode(msg.Payload, msg.Metadata); err == nil && len(es) > 0 {
			key = es[0].Object.Key
		}
		report.failure(key, msg.Metadata.Get(pipeline.MetadataReason))
		msg.Ack() // the user knows, and the next start tries again
	}
	return from.Close()
}
