// Package rabbitmq drives RabbitMQ's queues.
//
//	amqp://rabbit.example.com:5672/?queue=objects
//	amqps://rabbit.example.com/vhost?exchange=objects&key=created
//
// The first is a queue, or a topic that sends to that queue. The second is a topic that
// sends to an exchange. The URL is RabbitMQ's own, with the virtual host as the path (no
// path: the virtual host /) and these parameters:
//
//	queue     the queue; needed to receive
//	exchange  the exchange to send to
//	key       the routing key, with exchange
//	create    true: create the queue, and QUEUE.dead for its dead letters, if they
//	          are missing
//
// amqps connects with TLS. The user and password are those of the URL, or of
// RABBITMQ_USERNAME and RABBITMQ_PASSWORD, or guest and guest. They are never logged.
//
// The driver creates nothing without create=true, because operators decide about the
// policy of a queue. A new queue is a quorum queue. A message that failed 20 deliveries
// moves to QUEUE.dead, at least once.
//
// # Delivery
//
// At least once. A message is leased from its delivery until it is settled, for as long
// as the connection lasts; there are no heartbeats for single messages. When the
// connection or its channel ends, the work is cancelled and RabbitMQ redelivers the
// message. RabbitMQ closes a channel with a message that is not settled for 30 minutes
// (consumer_timeout), and all other work on that channel is interrupted with it. Only
// the management API tells the limit, so the driver counts with the default. Cut longer
// work into slices, or raise the limit.
//
// RabbitMQ delivers no more messages than may be in flight: each slot has a consumer with
// a prefetch of one. RabbitMQ cannot delay a redelivery. A nacked message waits in the
// worker, unsettled, and another consumer takes its slot. A worker that stops cancels its
// consumers at once and finishes the messages that it has. The attempt is the
// x-delivery-count of a quorum queue plus one. Other queues do not count: the attempt is
// 1 or 2, and the driver warns of them. With one message in flight and none nacked,
// messages come in the order of the queue.
//
// AMQP does not confirm acks: if an ack is lost with the connection, the message is
// redelivered. The server confirms published messages and refuses those that no queue
// takes.
package rabbitmq

import (
	"log/slog"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// The schemes of URLs.
const (
	Scheme    = "amqp"
	SchemeTLS = "amqps"
)

// consumerTimeout is the default of RabbitMQ's consumer_timeout.
const consumerTimeout = 30 * time.Minute

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
		HeldFor:          consumerTimeout,
		OwnTopic:         true,
		PlaceParameters:  []string{"queue", "exchange", "key"},
		Count:            d.Count,
	}
}
