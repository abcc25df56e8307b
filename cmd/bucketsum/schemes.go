package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/azure"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/adapters/blobstore/gcs"
	inmemory "github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
	"github.com/bucketsum/bucketsum/adapters/gcppubsub"
	"github.com/bucketsum/bucketsum/adapters/jetstream"
	"github.com/bucketsum/bucketsum/adapters/kafka"
	"github.com/bucketsum/bucketsum/adapters/rabbitmq"
	"github.com/bucketsum/bucketsum/adapters/servicebus"
	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/meant"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

// queueDrivers returns the technologies of queues that the program supports. This list and
// bucketDrivers are the only ones: a new technology is one line here.
func queueDrivers(log *slog.Logger) queue.Drivers {
	return queue.Drivers{
		&sqs.Driver{Log: log},
		jetstream.Driver{Log: log},
		kafka.Driver{Log: log},
		rabbitmq.Driver{Log: log},
		gcppubsub.Driver{Log: log},
		servicebus.Driver{},
		cloudpubsub.Driver{},
	}
}

// bucketDrivers returns the drivers of buckets.
func bucketDrivers(o s3.Options) blobstore.Drivers {
	return blobstore.Drivers{
		s3.Driver(o),
		gcs.Driver,
		azure.Driver,
		folder.Driver,
		inmemory.Driver,
	}
}

func queueSchemes() []queue.Scheme { return queueDrivers(nil).Schemes() }

func bucketSchemes() []queue.Scheme {
	var schemes []queue.Scheme
	for _, d := range bucketDrivers(s3.Options{}) {
		schemes = append(schemes, queue.Scheme{Name: d.Scheme, Example: d.Example})
	}
	return schemes
}

// traitsOf returns the traits of a queue; zero if its scheme is unknown.
func traitsOf(queueURL string) queue.Traits {
	d, err := queueDrivers(nil).Of(queueURL)
	if err != nil {
		return queue.Traits{}
	}
	return d.Traits()
}

// mostDeliveries is the number of deliveries after which the program dead-letters a
// message. It is less than the usual limits of queues: RabbitMQ's is 20.
const mostDeliveries = 10

// maxDeliveries returns the number of deliveries of a message after which the program
// dead-letters it, if there is a topic for dead letters; 0: the queue decides.
func maxDeliveries(queueURL string) int {
	if traitsOf(queueURL).LimitsDeliveries() {
		return mostDeliveries
	}
	return 0
}

// warnOf warns of a queue that is not fully tested, and of a missing topic for dead
// letters.
func warnOf(queueURL, deadLetter string, log *slog.Logger) {
	t := traitsOf(queueURL)
	if t.Warning != "" {
		log.Warn(redact.Scheme(queueURL) + ":// " + t.Warning)
	}
	if t.NoDeadLetters != "" && deadLetter == "" {
		log.Warn(redact.Scheme(queueURL) + ":// " + t.NoDeadLetters)
	}
}

// warnOfHeldFor warns of a queue that takes a message back from its worker after some
// time, if work on large objects is not cut into slices before that.
func warnOfHeldFor(c app.Config, log *slog.Logger) {
	held := traitsOf(c.Queue).HeldFor
	if held == 0 {
		return
	}
	attrs := []any{"held_for", held, "slice", c.Resume.Slice, "checkpoint_every", c.Resume.Every}
	i := slices.IndexFunc(c.Algorithms, func(name string) bool { return !digest.Resumable(name) })
	switch {
	case i >= 0:
		log.Warn("objects that take longer than the queue leaves a message with one worker get no record: the state of an algorithm cannot be saved, so that their work is not cut into slices; leave it out of --algorithms",
			append(attrs, "algorithm", c.Algorithms[i])...)
	case c.Resume.Slice == 0 || c.Resume.Every == 0 || c.Resume.Slice >= held:
		log.Warn("objects that take longer than the queue leaves a message with one worker get no record: their work is not cut into slices before that; set --slice to less than held_for, and --checkpoint-every to more than 0", attrs...)
	}
}

// checkQueue reports why a URL is not that of a queue or topic, as far as its scheme tells.
func checkQueue(flag, raw string) error {
	switch topic := strings.HasPrefix(raw, "arn:") && strings.Contains(raw, ":sns:"); {
	case meant.Queue(raw) != "":
		return fmt.Errorf("%s: write the queue as %s", flag, quote(meant.Queue(raw)))
	case topic:
		return fmt.Errorf("%s: an SNS topic is no queue: subscribe an SQS queue to it, and name that one", flag)
	case redact.Scheme(raw) == "nats":
		return fmt.Errorf("%s: nats:// delivers at most once, so a message is lost when its worker stops; use jetstream://", flag)
	case redact.Scheme(raw) == "rabbitmq", redact.Scheme(raw) == "rabbit":
		return fmt.Errorf("%s: the scheme of RabbitMQ is amqp://, or amqps:// with TLS", flag)
	case isOneOf(bucketSchemes(), redact.Scheme(raw)) && !isOneOf(queueSchemes(), redact.Scheme(raw)):
		return fmt.Errorf("%s: %s:// is a bucket and no queue; %s", flag, redact.Scheme(raw), listed(queueSchemes()))
	}
	return checkURL(flag, raw, queueSchemes())
}

// checkBucket reports why a URL is not that of a bucket, as far as its scheme and its form tell.
func checkBucket(flag, raw string) error {
	bucket, key := meant.Object(raw)
	u, err := redact.Parse(raw)
	switch {
	case bucket != "":
		return fmt.Errorf("%s: write the bucket as %s%s", flag, quote(bucket), selects(flag, key))
	case err == nil && u.Scheme == "" && isFolder(raw):
		folder, _ := folderURL(raw) // it is one
		return fmt.Errorf("%s: write the folder as %s", flag, quote(folder))
	case err == nil && isOneOf(queueSchemes(), u.Scheme) && !isOneOf(bucketSchemes(), u.Scheme):
		return fmt.Errorf("%s: %s:// is a queue and no bucket; %s", flag, u.Scheme, listed(bucketSchemes()))
	case err != nil || u.User != nil || redact.Misplaced(u) || !slices.Contains([]string{"s3", "gs", "azblob"}, u.Scheme):
	case u.Host == "":
		return fmt.Errorf("%s: the name of the bucket is missing: %s://NAME", flag, u.Scheme)
	case len(u.Path) > 1:
		return fmt.Errorf("%s: write the bucket as %s%s", flag, quote(u.Scheme+"://"+u.Host+redact.Place(u.RawQuery)), selects(flag, u.Path[1:]))
	}
	return checkURL(flag, raw, bucketSchemes())
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// checkPlace is checkBucket for a URL that may also name a folder in the bucket.
func checkPlace(flag, raw string) error {
	if u, err := redact.Parse(raw); err == nil && u.User == nil && u.Host != "" && !redact.Misplaced(u) && isOneOf(bucketSchemes(), u.Scheme) {
		return nil
	}
	return checkBucket(flag, raw)
}

// selects says how a part of a bucket is selected, if a flag or argument allows that.
func selects(flag, key string) string {
	switch {
	case key == "":
		return ""
	case flag == bucketArgument:
		return " and select what is in it with --prefix " + quote(key)
	case flag != "--bucket":
		return ""
	case strings.HasSuffix(key, "/"):
		return " and select what is in it with --include " + quote(key+"**")
	}
	return fmt.Sprintf(" and select what is in it with --include %s for a folder, or --include %s for an object", quote(key+"/**"), quote(key))
}

// bucketArgument is how help and messages call an argument that is a bucket.
const bucketArgument = "BUCKET-URL"

// checkURL reports why a URL cannot be opened, as far as its scheme tells.
func checkURL(flag, raw string, valid []queue.Scheme) error {
	u, err := redact.Parse(raw)
	if err != nil || u.Scheme == "" || u.Opaque != "" || redact.Misplaced(u) {
		return fmt.Errorf("%s: %q is not a URL; %s", flag, redact.URL(raw), listed(valid))
	}
	if isOneOf(valid, u.Scheme) {
		return nil
	}
	var names []string
	for _, s := range valid {
		names = append(names, s.Name)
	}
	if similar := suggest.Similar(u.Scheme, names); len(similar) > 0 {
		return fmt.Errorf("%s: unknown scheme %q; did you mean %s://?", flag, u.Scheme, strings.Join(similar, ":// or "))
	}
	return fmt.Errorf("%s: unknown scheme %q; %s", flag, u.Scheme, listed(valid))
}

func isOneOf(schemes []queue.Scheme, name string) bool {
	return slices.ContainsFunc(schemes, func(s queue.Scheme) bool { return s.Name == name })
}

// listed returns examples of URLs, one a line.
func listed(schemes []queue.Scheme) string {
	list := "valid are for example"
	for _, s := range schemes {
		list += "\n  " + s.Example
	}
	return list
}
