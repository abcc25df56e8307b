// Package kafka drives Kafka topics that consumer groups read.
//
//	kafka://kafka.example.com:9092/objects?group=bucketsum
//	kafka://kafka.example.com:9092/objects
//
// The first is a queue: the topic and the consumer group that all workers are
// in. The second is a topic to send to. The broker's address is in the URL, as
// with every other scheme, and not in the environment (gocloud's
// kafka://GROUP?topic=… needs KAFKA_BROKERS), so that two URLs can name two
// clusters. One broker is enough to find the others. The parameters are
//
//	group    the consumer group; needed for a queue
//	brokers  more addresses to begin with, separated by commas
//	create   true: make the topic, with the cluster's defaults, if it is missing
//	tls      true: with TLS
//	sasl     plain (default), scram-sha-256 or scram-sha-512: how the user and
//	         password of the URL, or else KAFKA_USERNAME and KAFKA_PASSWORD, are
//	         told
//
// Nothing is created without create=true, because a topic decides about
// partitions (which bound how many workers have work), replicas and retention.
// A new group begins with the oldest message.
//
// # Delivery
//
// At least once. A partition belongs to one worker at a time, and a message in
// work to whoever has its partition: that is the lease. It is lost when the
// partition is: work on it gets 5 seconds to finish, is then cancelled, and what
// is finished is committed before the partition goes. A worker that was evicted
// from its group cannot commit any more.
//
// Only finished work is committed, also when it finishes out of order: the
// committed offset is that of the oldest message that is not finished, and the
// commit's metadata names those that are not finished after it. So whoever
// comes next skips what is done. (That metadata is ours: other consumers of the
// group would do it again.)
//
// Kafka cannot redeliver one message. A nacked one waits here and is handed out
// again after its delay; the attempt counts deliveries since the partition came
// here. Kafka has no dead letters: let the pipeline dead-letter messages that
// fail too often, else one that always fails keeps the group's lag from ever
// becoming zero. With one message in flight and none nacked the order is that of
// each partition.
package kafka

import (
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Scheme is that of the URLs.
const Scheme = "kafka"

// Driver opens topics. The zero value is ready.
type Driver struct {
	// Options are for clients, beyond those that URL and environment give.
	Options []kgo.Opt
	Log     *slog.Logger // default: discarded
}

// Traits implements queue.Driver. The worker counts deliveries, not the broker.
func (d Driver) Traits() queue.Traits {
	return queue.Traits{
		Schemes:          []queue.Scheme{{Name: Scheme, Example: "kafka://kafka.example.com:9092/objects?group=bucketsum"}},
		NoDeadLetters:    "has no dead letters of its own: a message that always fails is redelivered without limit; name a topic for it with --dead-letter",
		CountsDeliveries: true,
		DelaysNacks:      true,
		Reachable:        d.Reachable,
	}
}

func (d Driver) log() *slog.Logger {
	if d.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Log
}
