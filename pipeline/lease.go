package pipeline

import (
	"context"
	"errors"
	"time"
)

// ErrLeaseLost means that the queue may have given the message to another worker. It is the
// cancellation cause of the work on the message.
var ErrLeaseLost = errors.New("lease lost")

// Lease is a worker's time-limited hold on one message. Its maker extends it until the message is
// acked or nacked, or the lease is lost. Its methods are safe for concurrent use.
type Lease interface {
	// Attempt returns the number of this delivery of the message, from 1, as the queue counts.
	Attempt() int
	// Context ends with the lease. Its cause is ErrLeaseLost unless Ack or Nack ended it.
	Context() context.Context
	// Ack returns nil when the queue has deleted the message. It retries until ctx ends, or until
	// the lease is lost: ErrLeaseLost.
	Ack(ctx context.Context) error
	// Nack ends the lease. The queue redelivers the message after delay or later. It returns nil
	// when the queue knows or the lease has expired, ErrLeaseLost if the lease was lost before.
	Nack(ctx context.Context, delay time.Duration) error
}
