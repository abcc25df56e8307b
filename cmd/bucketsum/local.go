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
	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv"
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

Symbolic links are not followed out of DIR. What bucketsum must remember lies in
DIR/` + blobstore.Hidden + `.`,
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
	store, err := openLocalFolder(dir, name, config)
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

	queues, err := newQueues(config.concurrency, config.drainTimeout, log)
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
	folder, err := testenv.NewFolder(testenv.Config{
		Dir:       dir,
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
		workerConfig:  config,
		queue:         localEvents,
		deadLetter:    localDeadLetters,
		buckets:       map[string]pipeline.Bucket{name: bucket},
		sources:       map[string]string{name: (&url.URL{Scheme: "file", Path: filepath.ToSlash(full)}).String()},
		activity:      activity,
		publish:       report.result,
		observe:       waiting.handled,
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

// openLocalFolder opens the folder as a bucket, after making it if it is missing.
func openLocalFolder(dir, name string, config workerConfig) (*blobstore.Store, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	store, err := blobstore.OpenFolder(dir, name, blobstore.Config{Layout: config.layout, Algorithms: config.algorithms})
	if err != nil {
		return nil, err
	}
	if err := store.CheckWritable(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if err := store.CleanUp(); err != nil {
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
