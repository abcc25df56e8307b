// Package queue is the one queue engine: it turns the queues of any technology
// into Watermill publishers and subscribers. A [Driver] knows one technology and
// only what is peculiar to it: how to receive, settle and send one message. The
// engine does what all queues need:
//
//   - it bounds the messages in flight and receives nothing beyond them
//   - it extends the leases of messages and ends their contexts with them ([Hold])
//   - it delays the redelivery of nacked messages
//   - it reopens a broken queue, with one warning per outage
//   - it closes without losing or doubling work
//
// A message is acked at the queue only after its consumer acked it, so every
// queue delivers at least once.
package queue

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// ErrClosed is the error of a publisher or subscriber that was closed.
var ErrClosed = errors.New("closed")

// MetadataUUID is the name under which a message's UUID travels through queues
// that have no message id of the sender's. gocloud's queues use the same name here,
// so messages can be moved between technologies.
const MetadataUUID = "watermill_message_uuid"

// Driver opens the queues and topics of one technology. Safe for concurrent use.
type Driver interface {
	// Traits describes the technology. It returns the same each time.
	Traits() Traits
	// OpenQueue opens the queue of a URL. An error that no waiting can mend, such as that
	// of a wrong URL, is permanent; see [pipeline.Permanent]. At most concurrency of its messages
	// will be in flight.
	OpenQueue(ctx context.Context, url string, concurrency int) (Queue, error)
	// OpenTopic opens the topic of a URL. For errors see OpenQueue.
	OpenTopic(ctx context.Context, url string) (Topic, error)
}

// Queue is an open queue.
type Queue interface {
	// Receive waits for messages and returns from 1 to n. From then on leases
	// hold them. It returns an error if ctx ends first, or if the queue is broken:
	// the engine then opens another one in its place. The engine delivers messages
	// that come with an error first. One goroutine calls Receive at a time.
	Receive(ctx context.Context, n int) ([]Delivery, error)
	// Close gives back the messages that were not received and frees the queue. The
	// engine calls it once, when no message is in flight and no Receive runs.
	Close() error
}

// Pauser is a [Queue] to which messages come without a Receive.
type Pauser interface {
	// Pause stops deliveries until the next Receive and gives back the messages
	// that came but were not received. Messages in flight stay in flight. The
	// engine calls it when no receiver wants more messages, for example at the start of
	// Close, and never while a Receive runs.
	Pause()
}

// Limiter is a [Queue] that knows how often it delivers a message.
type Limiter interface {
	// DeliveryLimit returns after how many deliveries the queue gives up a message; 0:
	// never.
	DeliveryLimit() int
}

// Delivery is a received message. The engine gives it a UUID if it has none.
type Delivery struct {
	Message *message.Message
	Lease   *Lease
	// Sent is when the queue got the message, by its clock; zero if it does not tell.
	Sent time.Time
}

// Topic is where messages are sent. Safe for concurrent use.
type Topic interface {
	// Send returns when the queue has stored the message, as far as it tells.
	Send(ctx context.Context, m *message.Message) error
	Close() error
}
