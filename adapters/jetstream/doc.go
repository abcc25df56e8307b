// Package jetstream drives durable consumers of NATS JetStream.
//
//	jetstream://nats.example.com:4222/OBJECTS?consumer=bucketsum
//	jetstream://nats.example.com/OBJECTS?subject=objects.created
//
// The first is a queue: a stream and a durable pull consumer of it, which all
// workers share. The second is a topic. The stream must store the subject that
// messages are published to. Without the parameter this is the stream's own subject,
// if it has exactly one and no wildcards. The parameters are
//
//	consumer  the name of the durable consumer; needed for a queue
//	subject   the subject to publish to; with create, the subject that a new
//	          stream stores (default: its own name) and a new consumer receives
//	create    true: create the stream and the consumer if they are missing
//	tls       true: connect only with TLS
//
// The driver creates nothing without create=true, because a stream decides about
// storage, replicas and retention. If something is missing, the error says how to
// create it. A new stream is a work queue in files: an acked message is deleted from
// it. A new consumer redelivers a message after a minute without a heartbeat, without
// limit.
//
// Credentials are the user and password (or a token as the user) of the URL, or come
// from NATS_USER and NATS_PASSWORD, from NATS_TOKEN, or from the file NATS_CREDS.
// NATS_CA, NATS_CERT and NATS_KEY are files for TLS. None of them is ever logged.
//
// # Delivery
//
// At least once. The driver holds a message in work by in-progress heartbeats, each
// third of the consumer's AckWait. The server confirms heartbeats, acks and nacks. It
// redelivers a nacked message after its delay, and it counts the attempts. The driver
// pulls no more messages than may be in flight. With one message in flight and none
// nacked, messages come in the order of the stream.
//
// JetStream has no dead letters. When a message reaches a consumer's MaxDeliver, it
// stays in the stream and is never delivered again; only an advisory reports it. So
// the driver warns of a consumer with a MaxDeliver. Let the pipeline dead-letter
// messages that fail too often.
package jetstream

import (
	"log/slog"

	"github.com/nats-io/nats.go"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Scheme is the scheme of the URLs.
const Scheme = "jetstream"

// Driver opens streams and consumers. The zero value is ready.
type Driver struct {
	// Options are for connections, in addition to those from URL and environment.
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
		Count:            d.Count,
	}
}
