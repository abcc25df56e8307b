// Package rabbitmq drives RabbitMQ's queues.
//
//	amqp://rabbit.example.com:5672/?queue=objects
//	amqps://rabbit.example.com/vhost?exchange=objects&key=created
//
// The first is a queue, or a topic that sends to that queue; the second is a
// topic that sends to an exchange. The URL is RabbitMQ's own, as its clients and
// its operators write it, with the virtual host as the path (none: /), and what to
// do there as parameters:
//
//	queue     the queue; needed to receive
//	exchange  to send to
//	key       the routing key, with exchange
//	create    true: make the queue, and QUEUE.dead for its dead letters, if they
//	          are missing
//
// amqps is with TLS. The user and password are those of the URL, or else
// RABBITMQ_USERNAME and RABBITMQ_PASSWORD, or guest's. They are never logged.
//
// Nothing is created without create=true: the policy of a queue is its
// operators'. A new queue is a quorum queue; a message that failed 20 deliveries
// goes to QUEUE.dead, at least once too.
//
// # Delivery
//
// At least once. A message is ours from its delivery until it is settled, for as
// long as the connection lasts: that is the lease, without heartbeats of its own.
// When the connection or its channel ends, work is cancelled and others get the
// message. RabbitMQ closes a channel whose message is not settled for 30 minutes
// (consumer_timeout): raise that for objects that take longer.
//
// No more messages are delivered to here than may be in flight: each slot is a
// consumer with a prefetch of one. RabbitMQ cannot delay a redelivery: a
// nacked message waits here, unsettled, and another consumer takes its slot. A
// worker that stops ends its consumers at once, and finishes what it has.
// The attempt is a quorum queue's x-delivery-count, plus one; of other queues,
// which do not count, it is 1 or 2, and they are warned of. With one message in
// flight and none nacked it is the queue's order.
//
// AMQP does not confirm acks: one that is lost with the connection makes the
// message come again. Publishing is confirmed, and refused if no queue takes the
// message.
package rabbitmq

import (
	"log/slog"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// The schemes of URLs.
const (
	Scheme    = "amqp"
	SchemeTLS = "amqps"
)

// Driver opens queues. The zero value is ready.
type Driver struct {
	Log *slog.Logger // default: discarded
}

// Traits implements queue.Driver. The parameters name the queue; host and path
// name only the virtual host.
func (d Driver) Traits() queue.Traits {
	return queue.Traits{
		Schemes: []queue.Scheme{
			{Name: Scheme, Example: "amqp://rabbit.example.com:5672/?queue=objects"},
			{Name: SchemeTLS, Example: "amqps://rabbit.example.com/vhost?queue=objects"},
		},
		NoDeadLetters:    "has dead letters only where the queue has a dead-letter exchange: otherwise a message that always fails is dropped at the delivery limit, or is redelivered without limit; name a topic for it with --dead-letter",
		CountsDeliveries: true,
		PlaceParameters:  []string{"queue", "exchange", "key"},
		DelaysNacks:      true,
	}
}

func (d Driver) log() *slog.Logger {
	if d.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Log
}
