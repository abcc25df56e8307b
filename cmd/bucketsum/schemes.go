package main

import (
	"fmt"
	"log/slog"
	"net/url"
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
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// scheme is a kind of URL that this program can open, with an example to show
// to whoever gave another. This file alone links their drivers, but for those that
// an adapter knows by itself.
type scheme struct{ name, example string }

var (
	queueSchemes = []scheme{
		{"awssqs", "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects"},
		{"sqs", "sqs://sqs.eu-central-1.amazonaws.com/123456789012/objects.fifo (in order)"},
		{jetstream.Scheme, "jetstream://nats.example.com:4222/OBJECTS?consumer=bucketsum"},
		{kafka.Scheme, "kafka://kafka.example.com:9092/objects?group=bucketsum"},
		{rabbitmq.Scheme, "amqp://rabbit.example.com:5672/?queue=objects"},
		{rabbitmq.SchemeTLS, "amqps://rabbit.example.com/vhost?queue=objects"},
		{gcppubsub.Scheme, "gcppubsub://projects/photos/subscriptions/bucketsum"},
		{"azuresb", "azuresb://objects?subscription=bucketsum (untested; SERVICEBUS_CONNECTION_STRING)"},
		{"mem", "mem://events (ends with the process)"},
	}
)

// bucketDrivers returns the technologies that buckets can be on.
func bucketDrivers(o s3.Options) blobstore.Drivers {
	return blobstore.Drivers{
		s3.Driver(o),
		gcs.Driver,
		azure.Driver,
		folder.Driver,
		inmemory.Driver,
	}
}

func bucketSchemes() []scheme {
	var schemes []scheme
	for _, d := range bucketDrivers(s3.Options{}) {
		schemes = append(schemes, scheme{d.Scheme, d.Example})
	}
	return schemes
}

// drivers returns the drivers of queues by scheme.
func drivers(log *slog.Logger) map[string]queue.Driver {
	byScheme := make(map[string]queue.Driver)
	for _, d := range []queue.Driver{
		&sqs.Driver{Log: log}, jetstream.Driver{Log: log}, kafka.Driver{Log: log}, rabbitmq.Driver{Log: log}, gcppubsub.Driver{Log: log},
		servicebus.Driver{}, cloudpubsub.Driver{},
	} {
		for _, s := range d.Traits().Schemes {
			byScheme[s.Name] = d
		}
	}
	return byScheme
}

// mostDeliveries is how often a message is delivered at most where that is counted:
// by what holds the messages or, of Kafka, by its worker. It is less than what
// queues have by default, as RabbitMQ's new ones here have 20.
const mostDeliveries = 10

// maxDeliveries returns how often a message of the queue is delivered before it
// becomes a dead letter, if there is a topic for these; 0: the queue decides.
func maxDeliveries(rawURL string) int {
	switch schemeOf(rawURL) {
	case jetstream.Scheme, kafka.Scheme, rabbitmq.Scheme, rabbitmq.SchemeTLS, gcppubsub.Scheme:
		return mostDeliveries
	default:
		return 0
	}
}

// warnOf warns of queues that lose messages, that nobody has tried, or whose
// messages nobody puts away that always fail.
func warnOf(rawURL, deadLetter string, log *slog.Logger) {
	scheme := schemeOf(rawURL)
	switch scheme {
	case "azuresb":
		log.Warn("azuresb:// is untested against Azure itself: its tests run on a stand-in")
	}
	if deadLetter != "" {
		return
	}
	switch scheme {
	case jetstream.Scheme, kafka.Scheme, "mem":
		log.Warn(scheme + ":// has no dead letters of its own: what always fails comes again for ever; name a topic for it with --dead-letter")
	case rabbitmq.Scheme, rabbitmq.SchemeTLS:
		log.Warn(scheme + ":// has dead letters only where the queue has a dead-letter exchange: else what always fails is dropped at the delivery limit, or comes again for ever; name a topic for it with --dead-letter")
	case gcppubsub.Scheme:
		log.Warn(scheme + ":// has dead letters only where the subscription has a policy for them: else what always fails comes again for ever; name a topic for it with --dead-letter")
	}
}

// checkURL reports why a URL cannot be opened, as far as its scheme tells.
func checkURL(flag, raw string, valid []scheme) error {
	examples := make([]string, len(valid))
	for i, s := range valid {
		examples[i] = s.example
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return fmt.Errorf("%s: %q is not a URL; valid are for example %s", flag, raw, strings.Join(examples, ", "))
	}
	for _, s := range valid {
		if s.name == u.Scheme {
			return nil
		}
	}
	if u.Scheme == "nats" {
		return fmt.Errorf("%s: nats:// delivers at most once, so a message is lost when its worker stops; use jetstream://", flag)
	}
	return fmt.Errorf("%s: unknown scheme %q; valid are for example %s", flag, u.Scheme, strings.Join(examples, ", "))
}

// samePlace reports whether two URLs name one queue or bucket, whatever their
// other parameters.
func samePlace(a, b string) bool {
	first, err := url.Parse(a)
	second, err2 := url.Parse(b)
	if err != nil || err2 != nil || first.Host != second.Host || first.Path != second.Path {
		return false
	}
	if first.Scheme != rabbitmq.Scheme && first.Scheme != rabbitmq.SchemeTLS {
		return true
	}
	// There the parameters are the place.
	return !slices.ContainsFunc([]string{"queue", "exchange", "key"}, func(name string) bool {
		return first.Query().Get(name) != second.Query().Get(name)
	})
}

func schemeOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Scheme
}
