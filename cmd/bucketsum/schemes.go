package main

import (
	"fmt"
	"log/slog"
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
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
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

// checkURL reports why a URL cannot be opened, as far as its scheme tells.
func checkURL(flag, raw string, valid []queue.Scheme) error {
	examples := make([]string, len(valid))
	for i, s := range valid {
		examples[i] = s.Example
	}
	u, err := redact.Parse(raw)
	if err != nil || u.Scheme == "" || u.Opaque != "" || redact.Misplaced(u) {
		return fmt.Errorf("%s: %q is not a URL; valid are for example %s", flag, redact.URL(raw), strings.Join(examples, ", "))
	}
	if slices.ContainsFunc(valid, func(s queue.Scheme) bool { return s.Name == u.Scheme }) {
		return nil
	}
	if u.Scheme == "nats" {
		return fmt.Errorf("%s: nats:// delivers at most once, so a message is lost when its worker stops; use jetstream://", flag)
	}
	return fmt.Errorf("%s: unknown scheme %q; valid are for example %s", flag, u.Scheme, strings.Join(examples, ", "))
}
