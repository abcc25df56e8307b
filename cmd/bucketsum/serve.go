package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
)

var serveCommand = command{
	name:    "serve",
	args:    "--queue URL --bucket [NAME=]URL",
	summary: "sum the objects that a queue's events name",
	about: `
Receives events from a queue and puts the checksum of each object beside it.
Only the buckets that are named with --bucket are ever touched. NAME is what
events call the bucket; without it that is the URL's host or, for file://, the
last element of the path.

What a store claims of an object (an ETag that is an MD5 or that of an upload in
parts, checksums that it keeps) is compared with what was read. An object that is
not what its store claims has no record and its event is dead-lettered, unless
--on-mismatch record. --results is told what became of each object.

Large objects have checkpoints, in .bucketsum/checkpoints/ of the bucket that has
the records: whoever comes after an interruption goes on there. What takes longer
than --slice goes on in a new message, as no lease on SQS lasts longer than 12
hours. For that this program needs to send to the --queue.

On SIGTERM it takes no more messages, finishes what it has in work within
--drain-timeout and ends with 0, or with 1 if something went back to the queue.
A second SIGTERM ends it at once.

Whoever reaches --listen can read the names and checksums of objects there.`,
	examples: `
  bucketsum serve --queue 'awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects' --bucket 's3://photos?region=eu-central-1'
  bucketsum serve --queue mem://events --dead-letter mem://failed --results mem://results --bucket inbox=file:///srv/in`,
	run: runServe,
}

func runServe(ctx context.Context, p process, c command, args []string) (err error) {
	var (
		config            workerConfig
		queue, deadLetter string
		buckets           []string
		check             bool
		store             storeConfig
	)
	fs := newFlags(c)
	fs.StringVar(&queue, "queue", "", "URL of the queue that events come from; needed")
	fs.StringArrayVar(&buckets, "bucket", nil, "[NAME=]URL of a bucket; needed, may be repeated (in the environment: separated by spaces)")
	fs.StringVar(&deadLetter, "dead-letter", "", "URL of the topic for messages that can never be handled; without it the queue's own policy decides, which jetstream, kafka and mem do not have")
	store.flags(fs)
	config.flags(fs, ":5000", "info", 30*time.Second)
	fs.BoolVar(&check, "check", false, "open the queues and the buckets as a worker does, then end: with 0, or with 1 and what cannot be reached")
	rest, err := parseFlags(p, c, fs, args)
	if err != nil {
		return err
	}
	urls, bucketErr := parseBuckets(buckets)
	faults := []error{config.validate(), bucketErr, store.validate(urls)}
	if len(rest) > 0 {
		faults = append(faults, fmt.Errorf("unexpected argument %q", rest[0]))
	}
	if queue == "" {
		faults = append(faults, errors.New("--queue is missing"))
	} else {
		faults = append(faults, checkURL("--queue", queue, queueSchemes), config.resume.validateQueue(queue))
	}
	if deadLetter != "" {
		faults = append(faults, checkURL("--dead-letter", deadLetter, queueSchemes))
		if samePlace(queue, deadLetter) {
			faults = append(faults, errors.New("--dead-letter is the same as --queue: what can never be handled would go round for ever"))
		}
	}
	if config.results != "" {
		if samePlace(queue, config.results) {
			faults = append(faults, errors.New("--results is the same as --queue: each result would come back as an event"))
		}
		if samePlace(deadLetter, config.results) {
			faults = append(faults, errors.New("--results is the same as --dead-letter: whoever sends dead letters back would send results as events"))
		}
	}
	if len(buckets) == 0 {
		faults = append(faults, errors.New("--bucket is missing"))
	}
	if err := errors.Join(faults...); err != nil {
		return usageError{err}
	}

	log := config.log.logger(p.stderr)
	warnOf(queue, deadLetter, log)
	config.memory.warn(log)
	stores, err := app.OpenBuckets(ctx, urls, blobstore.Config{
		Layout: config.layout, Algorithms: config.algorithms, Records: store.records, S3: store.s3, Memory: config.memory.memory(), Log: log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.CloseStores(stores)) }()
	worker := config.worker()
	worker.Drivers, worker.Queue, worker.Continue, worker.DeadLetter = drivers(log), queue, topicOf(queue), deadLetter
	worker.MaxDeliveries = maxDeliveries(queue)
	worker.Stores, worker.Sources, worker.Log = stores, make(map[string]string), log
	for _, b := range urls {
		worker.Sources[b.Name] = cloudevents.SourceOf(b.Name, b.URL)
	}
	a, err := app.New(ctx, worker)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if check {
		log.Info("queues and buckets can be reached", "buckets", a.Buckets())
		return nil
	}
	return a.Run(ctx)
}
