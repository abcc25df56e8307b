// Package kafka drives Kafka topics that consumer groups read.
//
//	kafka://kafka.example.com:9092/objects?group=bucketsum
//	kafka://kafka.example.com:9092/objects
//
// The first is a queue: a topic and the consumer group of all workers. The second is
// a topic to send to. The address of a broker is in the URL and not in the environment
// (gocloud's kafka://GROUP?topic=… needs KAFKA_BROKERS), so that two URLs can name two
// clusters. The driver finds the other brokers by this one. The parameters are
//
//	group    the consumer group; needed for a queue
//	brokers  more addresses to try at the start, separated by commas
//	create   true: create the topic, with the cluster's defaults, if it is missing
//	tls      true: connect with TLS
//	sasl     plain (default), scram-sha-256 or scram-sha-512: the mechanism for the
//	         user and password of the URL, or of KAFKA_USERNAME and KAFKA_PASSWORD
//
// The driver creates nothing without create=true, because a topic decides about
// partitions (which bound how many workers have work), replicas and retention.
// A new group begins with the oldest message.
//
// # Delivery
//
// At least once. A partition belongs to one worker at a time. Its messages in work are
// leased for as long as the partition belongs to the worker. When the worker has to give
// a partition up, work on it has 5 seconds to finish and is then cancelled (a nacked
// message that waits for its redelivery takes all of them). The driver commits the
// finished work before the partition goes. A worker that was evicted from
// its group cannot commit.
//
// The driver commits only finished work, even if it finishes out of order: the committed
// offset is that of the oldest unfinished message, and the metadata of the commit names
// the unfinished messages after it. The next worker skips the finished ones. (Other
// consumers of the group do not know this metadata and would do the work again.)
//
// Kafka cannot redeliver one message. A nacked message waits in the worker, which
// delivers it again after its delay. The attempt counts deliveries since the partition
// came to the worker. Kafka has no dead letters: let the pipeline dead-letter messages
// that fail too often, otherwise a message that always fails keeps the lag of the group
// above zero. With one message in flight and none nacked, messages come in the order of
// each partition.
package kafka

import (
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Scheme is the scheme of the URLs.
const Scheme = "kafka"

// Driver opens topics. The zero value is ready.
type Driver struct {
	// Options are for clients, in addition to those from URL and environment.
	Options []kgo.Opt
	Log     *slog.Logger // default: discarded
}

// Traits implements queue.Driver. The worker counts deliveries, not the broker.
func (d Driver) Traits() queue.Traits {
	return queue.Traits{
		Schemes:          []queue.Scheme{{Name: Scheme, Example: "kafka://kafka.example.com:9092/objects?group=bucketsum"}},
		NoDeadLetters:    "has no dead letters of its own: a message that always fails is redelivered without limit; name a topic for it with --dead-letter",
		CountsDeliveries: true,
		Reachable:        d.Reachable,
	}
}
