package pipeline

import (
	"context"
	"errors"
	"time"
)

// ErrLeaseLost: the queue may have given the message to another worker. It is
// the cancellation cause of the work that was under way.
var ErrLeaseLost = errors.New("lease lost")

// Lease is a worker's hold on one message, for queues that give a message to
// one worker for a limited time. Whoever made it extends it until it is acked,
// nacked or lost. Its methods are safe for concurrent use.
type Lease interface {
	// Attempt returns which delivery of the message this is, from 1, as the
	// queue counts.
	Attempt() int
	// Context ends when the lease does; its cause is ErrLeaseLost if nobody
	// ended it.
	Context() context.Context
	// Ack returns nil when the queue has deleted the message. It tries until
	// then, until ctx ends, or until the lease is lost: ErrLeaseLost.
	Ack(ctx context.Context) error
	// Nack ends the lease; the queue delivers the message again after delay, or
	// later. It returns nil when the queue knows or the lease has run out,
	// ErrLeaseLost if it was lost before.
	Nack(ctx context.Context, delay time.Duration) error
}
