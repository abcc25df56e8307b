package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// serveFlags are the flags of the command.
type serveFlags struct {
	workerFlags
	buckets []string
	store   storeFlags
	check   bool
}

func newServe(p process) *cobra.Command {
	var flags serveFlags
	c := &cobra.Command{
		Use:   "serve [flags] --queue URL --bucket [NAME=]URL",
		Short: "receive events from a queue, and write the checksum of each object beside it",
		Long: `
serve touches only the buckets that --bucket names. NAME is the name that events
use for the bucket. Without NAME it is the host of the URL or, for file://, the
last element of the path. The URL of an existing folder may be its path.

serve compares the content of an object with the claims of its store: an ETag that
is an MD5 or that of a multipart upload, and checksums that the store keeps. An
object that contradicts a claim gets no record, and its event is dead-lettered,
unless --on-mismatch is record. --results receives the outcome for each object.

Large objects have checkpoints, in .bucketsum/checkpoints/ of the bucket that holds
the records: after an interruption, a worker resumes from the last one. Work that
takes longer than --slice continues in a new message, because some queues take a
message back: SQS after 12 hours, RabbitMQ after 30 minutes. For that, serve needs the
permission to send to --queue.

On SIGTERM, serve takes no more messages and finishes its work within
--drain-timeout. It ends with 0, or with 1 if a message went back to the queue. A
second SIGTERM ends it at once.

Anyone who can reach --listen can read the names and checksums of objects there. To
change something there, such as to redrive dead letters, clients need the token of
--token-file, unless --listen is a loopback address.`,
		Example: `
  bucketsum serve --queue 'awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects' --bucket 's3://photos?region=eu-central-1'
  bucketsum serve --queue mem://events --dead-letter mem://failed --results mem://results --bucket inbox=file:///srv/in`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags.define(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		buckets, err := flags.validate(args)
		if err != nil {
			return usageError{err}
		}
		return runServe(c.Context(), p, flags, buckets)
	}
	return c
}

func (f *serveFlags) define(fs *pflag.FlagSet) {
	fs.StringVar(&f.Queue, "queue", "", "URL of the queue that delivers events; needed")
	fs.StringArrayVar(&f.buckets, "bucket", nil, "[NAME=]URL of a bucket; needed, may be repeated (in the environment: separated by spaces)")
	fs.StringVar(&f.DeadLetter, "dead-letter", "", "URL of the topic for messages that can never be handled; without it the queue's own policy decides, if it has one")
	fs.StringVar(&f.RedriveFrom, "redrive-from", "", "URL of the queue that has the dead letters, for GET /v1/dead-letters and the page; without it, --dead-letter, where messages can be received by that URL")
	fs.StringVar(&f.RedriveTo, "redrive-to", "", "URL of the topic that feeds --queue, for dead letters that are sent again by HTTP; without it, --shards-to or --queue, where messages can be sent to that")
	fs.Var(flagvalue.Either(&f.DeadLetterMissing, "ack", "dead-letter"), "on-missing", "what happens to an event whose object does not exist under any reading of its key: ack or dead-letter")
	fs.StringArrayVar(&f.SNS.Topics, "sns-topic", nil, "ARN of an SNS topic; handle only messages that this topic has signed, dead-letter all others; may be repeated")
	fs.StringVar(&f.Reports, "reports", "", "URL of the bucket with the plans and reports of passes over existing objects; without it, messages of passes are dead-lettered")
	fs.StringVar(&f.Shards, "shards-to", "", "URL of the topic that feeds --queue, for the shards of a pass that follow; without it, --queue, where messages can be sent to that")
	f.store.define(fs)
	f.workerFlags.define(fs, ":5000", slog.LevelInfo, 30*time.Second)
	fs.BoolVar(&f.check, "check", false, "open the queues and buckets as a worker does, but create no queue or topic; then end with 0, or with 1 and the name of each that cannot be reached")
}

// validate returns the buckets, or all mistakes.
func (f *serveFlags) validate(args []string) ([]app.BucketURL, error) {
	buckets, bucketErr := parseBuckets("--bucket", f.buckets)
	faults := []error{bucketErr, f.store.validate(buckets)}
	if len(args) > 0 {
		faults = append(faults, fmt.Errorf("unexpected argument %q", args[0]))
	}
	samePlace := queueDrivers(nil).SamePlace
	if f.Queue == "" {
		faults = append(faults, errors.New("--queue is missing"))
	} else {
		faults = append(faults, checkQueue("--queue", f.Queue), f.checkpoints.validateQueue(f.Queue))
	}
	faults = append([]error{f.workerFlags.validate()}, faults...)
	if f.DeadLetter != "" {
		faults = append(faults, checkQueue("--dead-letter", f.DeadLetter))
		if samePlace(f.Queue, f.DeadLetter) {
			faults = append(faults, errors.New("--dead-letter is the same as --queue: a message that always fails would go round without limit"))
		}
	}
	if f.Results != "" {
		if samePlace(f.Queue, f.Results) {
			faults = append(faults, errors.New("--results is the same as --queue: each result would come back as an event"))
		}
		if samePlace(f.DeadLetter, f.Results) {
			faults = append(faults, errors.New("--results is the same as --dead-letter: a redrive of the dead letters would send results as events"))
		}
	}
	faults = append(faults, f.validatePasses(), f.validateRedrive())
	if len(f.buckets) == 0 {
		faults = append(faults, errors.New("--bucket is missing"))
	}
	return buckets, errors.Join(faults...)
}

// validateRedrive returns what is wrong with the flags of dead letters by HTTP.
func (f *serveFlags) validateRedrive() error {
	var faults []error
	for _, u := range []struct{ flag, url string }{{"--redrive-from", f.RedriveFrom}, {"--redrive-to", f.RedriveTo}} {
		switch {
		case u.url == "":
		case traitsOf(u.url).InProcess:
			faults = append(faults, fmt.Errorf("%s: dead letters in memory need no such flag", u.flag))
		default:
			faults = append(faults, checkQueue(u.flag, u.url))
		}
	}
	flag, from := "--redrive-from", f.RedriveFrom
	if from == "" {
		flag, from = "--dead-letter", f.DeadLetter
	}
	samePlace := queueDrivers(nil).SamePlace
	switch {
	case f.RedriveFrom != "" && samePlace(f.RedriveFrom, f.Queue):
		faults = append(faults, errors.New("--redrive-from is the same as --queue: name the queue with the dead letters"))
	case from != "" && samePlace(from, f.RedriveTo):
		faults = append(faults, fmt.Errorf("--redrive-to is the same as %s: each message would come back without limit", flag))
	}
	return errors.Join(faults...)
}

// validatePasses decides where the shards of passes go, and returns all mistakes.
func (f *serveFlags) validatePasses() error {
	var faults []error
	if f.Reports == "" {
		if f.Shards != "" {
			faults = append(faults, errors.New("--shards-to needs --reports"))
		}
		return errors.Join(faults...)
	}
	faults = append(faults, checkPlace("--reports", f.Reports))
	switch {
	case f.Shards != "":
		faults = append(faults, checkQueue("--shards-to", f.Shards))
	case traitsOf(f.Queue).OwnTopic:
		f.Shards = f.Queue
	case f.Queue != "":
		faults = append(faults, fmt.Errorf("--reports needs --shards-to, the URL of the topic that feeds --queue: messages cannot be sent to %s:// by the URL of the queue", redact.Scheme(f.Queue)))
	}
	return errors.Join(faults...)
}

func runServe(ctx context.Context, p process, f serveFlags, buckets []app.BucketURL) (err error) {
	log := f.log.logger(p.stderr)
	warnOf(f.Queue, f.DeadLetter, log)
	warnOfHeldFor(f.Config, log)
	f.memory.Warn(log)
	worker := f.Config
	worker.Buckets, worker.BucketDrivers, worker.Wait = buckets, bucketDrivers(f.store.s3.Options), !f.check
	worker.BucketConfig = blobstore.Config{
		Layout: f.layout, Algorithms: f.Algorithms, Records: f.store.records, Memory: f.memory.Budget(), Log: log,
		CallerVerifies: !f.IgnoreClaims,
	}
	worker.Drivers, worker.MaxDeliveries, worker.Continue = queueDrivers(log), maxDeliveries(f.Queue), f.Queue
	worker.Sources, worker.Log = make(map[string]string), log
	for _, b := range buckets {
		worker.Sources[b.Name] = cloudevents.SourceOf(b.Name, b.URL)
	}
	if f.check {
		worker.Listen = "" // a worker may have the port
		worker.Queue, worker.DeadLetter = queue.WithoutCreate(f.Queue), queue.WithoutCreate(f.DeadLetter)
		worker.Results, worker.Continue = queue.WithoutCreate(f.Results), queue.WithoutCreate(f.Queue)
		worker.Shards = queue.WithoutCreate(f.Shards)
	}
	a, err := app.New(ctx, worker)
	if err != nil && (worker.Queue != f.Queue || worker.DeadLetter != f.DeadLetter || worker.Results != f.Results) {
		return fmt.Errorf("%w (--check creates no queue or topic)", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if f.check {
		log.Info("queues and buckets can be reached", "buckets", a.Buckets())
		return a.SayConditions(ctx)
	}
	return a.Run(ctx)
}
