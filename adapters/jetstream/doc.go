// Package jetstream drives durable consumers of NATS JetStream.
//
//	jetstream://nats.example.com:4222/OBJECTS?consumer=bucketsum
//	jetstream://nats.example.com/OBJECTS?subject=objects.created
//
// The first is a queue: the stream and a durable pull consumer of it, which all
// workers share. The second is a topic: what is published to the subject must be
// stored by the stream; without subject it goes to the stream's own, if it has
// one without wildcards. The parameters are
//
//	consumer  the name of the durable consumer; needed for a queue
//	subject   what to publish to; with create, what a new stream stores
//	          (default: a subject of its own name) and a new consumer receives
//	create    true: make the stream and the consumer if they are missing
//	tls       true: only with TLS
//
// Nothing is created without create=true, because a stream decides about
// storage, replicas and retention; what is missing is an error that says how to
// make it. A new stream is a work queue in files: what is acked is deleted from
// it. A new consumer redelivers after a minute without heartbeat, for ever.
//
// Credentials are the user and password (or a token as the user) of the URL, or
// come from NATS_USER and NATS_PASSWORD, NATS_TOKEN, or the file NATS_CREDS;
// NATS_CA, NATS_CERT and NATS_KEY are files for TLS. None is ever logged.
//
// # Delivery
//
// At least once. A message that is in work is kept by confirmed in-progress
// heartbeats, each third of the consumer's AckWait; its Ack is seen to be stored;
// a Nack has it redelivered after a delay by the server. The attempt is the
// server's count. Nothing is pulled beyond what is worked on. With one message
// in flight and none nacked it is the stream's order.
//
// JetStream has no dead letters: when a consumer's MaxDeliver is reached the
// message stays in the stream and nobody gets it any more; an advisory is all
// that tells. So a consumer with a MaxDeliver is warned of; let the pipeline
// dead-letter messages that fail too often.
package jetstream

import (
	"log/slog"

	"github.com/nats-io/nats.go"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Scheme is that of the URLs.
const Scheme = "jetstream"

// Driver opens streams and consumers. The zero value is ready.
type Driver struct {
	// Options are for connections, beyond those that URL and environment give.
	Options []nats.Option
	Log     *slog.Logger // default: discarded
}

// Traits implements queue.Driver.
func (d Driver) Traits() queue.Traits {
	return queue.Traits{
		Schemes:          []queue.Scheme{{Name: Scheme, Example: "jetstream://nats.example.com:4222/OBJECTS?consumer=bucketsum"}},
		NoDeadLetters:    "has no dead letters of its own: a message that always fails is redelivered without limit; name a topic for it with --dead-letter",
		CountsDeliveries: true,
		DelaysNacks:      true,
	}
}

func (d Driver) log() *slog.Logger {
	if d.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Log
}
