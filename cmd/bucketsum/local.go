package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/adapters/watch"
	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// The queues of the local command, which end with it.
const (
	localEvents      = "mem://bucketsum-events"
	localDeadLetters = "mem://bucketsum-dead-letters"
)

var localCommand = command{
	name:    "local",
	args:    "[DIR]",
	summary: "the whole flow on this machine: a file lands in DIR, its checksum lies beside it",
	about: `
DIR is the bucket (default ./inbox, made if it is missing). Files that appear in
it or change become events on a queue in memory, as S3 sends them, and go through
the same pipeline as on AWS. What lies there without a current checksum is
summed at the start. What is not finished at the end, the next start does.

Symbolic links are not followed out of DIR. A folder in it on which local was run
by itself is left alone. What bucketsum must remember lies in
DIR/` + filebucket.Hidden + `.`,
	examples: `
  bucketsum local ./inbox
  bucketsum local --algorithms md5,sha256 --record '{dir}/.sums/{base}.{alg}' /srv/photos
  curl -F file=@README.md localhost:5000/md5`,
	run: runLocal,
}

func runLocal(ctx context.Context, p process, c command, args []string) (err error) {
	var (
		config workerConfig
		settle time.Duration
	)
	fs := newFlags(c)
	config.flags(fs, "127.0.0.1:5000", "warn", 10*time.Second)
	fs.DurationVar(&settle, "settle", 500*time.Millisecond, "how long a file must not change to count as completely written")
	rest, err := parseFlags(p, c, fs, args)
	if err != nil {
		return err
	}
	faults := []error{config.validate()}
	if len(rest) > 1 {
		faults = append(faults, fmt.Errorf("unexpected argument %q: local takes one folder", rest[1]))
	}
	if settle < 0 {
		faults = append(faults, fmt.Errorf("--settle: %s is negative", settle))
	}
	if err := errors.Join(faults...); err != nil {
		return usageError{err}
	}
	dir := "inbox"
	if len(rest) == 1 {
		dir = rest[0]
	}

	full, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	name := filepath.Base(full)
	// Whoever reads it and whoever watches it must mean the same folder, whatever
	// becomes of a link on the way to it.
	if full, err = makeFolder(full); err != nil {
		return err
	}
	store, err := openLocalFolder(ctx, full, name, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	bucket := store.Bucket()
	log := config.log.logger(p.stderr)
	workerLog := log
	if !fs.Changed("log-level") {
		// The report tells of every object; its user wants no second account.
		workerLog = slog.New(slog.DiscardHandler)
	}
	activity := web.NewActivity()
	report := newReport(p.stdout, config.algorithms[0], activity)

	queues, err := newQueues(int(config.concurrency), config.drainTimeout, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, queues.Close()) }()
	publisher, err := queues.publisher(ctx, localEvents)
	if err != nil {
		return err
	}
	failed, err := queues.subscriber(localDeadLetters)
	if err != nil {
		return err
	}
	waiting := newBacklog(publisher, 1000)
	folder, err := watch.NewFolder(watch.Config{
		Dir:       full,
		Bucket:    name,
		Publisher: waiting,
		Topic:     localEvents,
		Skip:      bucket.Records.IsRecord,
		Current: func(ctx context.Context, o pipeline.Object) (bool, error) {
			record, err := bucket.Records.Lookup(ctx, o)
			if err == nil && record.Covers(o, config.algorithms) {
				activity.HadRecord()
				return true, nil
			}
			return false, nil
		},
		Remembered: store.Recorded,
		RecordOf: func(key string) (string, bool) {
			object, _, ok := config.layout.ObjectKey(key)
			return object, ok
		},
		Unreadable: func(key string, err error) {
			o := pipeline.Object{Bucket: name, Key: key + "/"}
			if err == nil {
				activity.Mended(o)
				return
			}
			reason := fmt.Sprintf("the folder cannot be read, and what is in it gets no checksums: %v", err)
			activity.Fail(o, reason)
			report.failure(o.Key, reason)
		},
		Inner: func(key string) {
			report.line("%s is left alone: it is a bucket of its own, with its records in %s/%s; run bucketsum local on it", printable(key+"/"), printable(key), filebucket.Hidden)
		},
		Unaddressable: func(key string, err error) {
			activity.Fail(pipeline.Object{Bucket: name, Key: key}, err.Error())
			report.failure(key, err.Error())
		},
		Settle: settle,
		Log:    log,
	})
	if err != nil {
		return err
	}
	listener, err := config.listenHTTP()
	if err != nil {
		return err
	}
	w := worker{
		workerConfig: config,
		queue:        localEvents,
		deadLetter:   localDeadLetters,
		buckets:      map[string]pipeline.Bucket{name: bucket},
		checks:       map[string]func(context.Context) error{name: store.Reachable},
		activity:     activity,
		sources:      map[string]string{name: (&url.URL{Scheme: "file", Path: filepath.ToSlash(full)}).String()},
		publish:      report.result,
		observe: func(d pipeline.Delivery) {
			waiting.handled(d)
			for _, h := range d.Events {
				// Such an event is dropped as there is a newer one. Here that may
				// not be so: the system does not tell of every change.
				if errors.Is(h.Err, pipeline.ErrChanged) {
					folder.Look(h.Event.Object.Key)
				}
			}
		},
		retry:         pipeline.Retry{Max: 2, Initial: 200 * time.Millisecond},
		maxDeliveries: 3,
		hosts:         []string{"localhost"},
		listener:      listener,
		log:           workerLog,
	}
	report.line("%s is the bucket: copy FILE into it, and its checksum will be in %s", printable(dir),
		printable(config.layout.RecordKey("FILE", config.algorithms[0])))
	if listener != nil {
		report.line("http://%s/ is the page; Ctrl-C ends", listener.Addr())
	}
	err = w.run(ctx, folder.Run, report.showProgress, func(ctx context.Context) error {
		return showDeadLetters(ctx, failed, report)
	})
	report.summary()
	if totals := activity.Status().Totals; err == nil && totals.Failed+totals.Mismatched > 0 {
		return statusError(exitFailed) // the summary has named them
	}
	return err
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
func openLocalFolder(ctx context.Context, dir, name string, config workerConfig) (*blobstore.Store, error) {
	store, err := blobstore.OpenFolder(dir, name, blobstore.Config{Layout: config.layout, Algorithms: config.algorithms})
	if err != nil {
		return nil, err
	}
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
