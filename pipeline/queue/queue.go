// Package queue makes the queues of a message broker Watermill publishers and
// subscribers. A [Driver] knows the broker, and only what is peculiar to it: how
// to receive, settle and send one message. What all brokers need is here once: a
// bound on the messages in flight, contexts that end with their lease, waits
// before a redelivery, heartbeats ([Hold]), a queue that is opened anew when the
// old one has died, and a Close that neither loses nor doubles work.
//
// Nothing is received beyond what may be in flight. A message is acked when its
// consumer acked it, so that every broker here delivers at least once.
package queue

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// ErrClosed is the error of a publisher or subscriber that was closed.
var ErrClosed = errors.New("closed")

// MetadataUUID is the name under which a message's UUID goes through a broker
// that has none. It is the one that gocloud queues have here, so that messages
// can be moved between them.
const MetadataUUID = "watermill_message_uuid"

// Driver opens the queues and topics that URLs of its scheme name.
type Driver interface {
	// Traits describes the technology. It returns the same each time.
	Traits() Traits
	// OpenQueue opens a queue of which at most concurrency messages will be in
	// flight.
	OpenQueue(ctx context.Context, url string, concurrency int) (Queue, error)
	OpenTopic(ctx context.Context, url string) (Topic, error)
}

// Queue is an open queue.
type Queue interface {
	// Receive waits for messages and returns from 1 to n, which are held by
	// leases from then on. It returns an error if ctx ends first, or if the queue
	// is broken: then another is opened in its place. It is called by one
	// goroutine at a time.
	Receive(ctx context.Context, n int) ([]Delivery, error)
	// Close gives back what waits for its redelivery and frees the queue. It is
	// called once, when no message is in flight and no Receive under way.
	Close() error
}

// Pauser is a [Queue] whose broker delivers without being asked.
type Pauser interface {
	// Pause has nothing delivered until the next Receive, and gives back what
	// came and was not received. What is in flight stays so. It is called as
	// Receive is, when nobody wants more: as at the start of a Close.
	Pause()
}

// Delivery is a received message. If it has no UUID it gets one.
type Delivery struct {
	Message *message.Message
	Lease   pipeline.Lease
}

// Topic is where messages are sent. It is safe for concurrent use.
type Topic interface {
	// Send returns when the broker has stored the message, as far as it tells.
	Send(ctx context.Context, m *message.Message) error
	Close() error
}

// Config is the configuration of a [Subscriber]. The zero value is the default.
type Config struct {
	// Concurrency is how many messages of one URL are in flight at most.
	// Default 4.
	Concurrency int
	// NackDelay is how long a message that was nacked on its nth delivery waits
	// before it is delivered again. Default: Backoff.
	NackDelay func(attempt int) time.Duration
	// ReopenDelay is how long to wait after the nth failure in a row before a
	// queue is opened anew. Default: Backoff.
	ReopenDelay func(attempt int) time.Duration
	// CloseTimeout is how long Close waits for messages in flight. Then their
	// contexts are cancelled, and what is still not settled a moment later is
	// given back to the queue, whatever is said of it after that. Default 1 min.
	CloseTimeout time.Duration
	Watch        pipeline.LeaseWatch
	Log          *slog.Logger // default: discarded
}

// Validate returns everything that is wrong with the configuration.
func (c Config) Validate() error {
	var faults []error
	if c.Concurrency < 0 {
		faults = append(faults, errors.New("concurrency is negative"))
	}
	if c.CloseTimeout < 0 {
		faults = append(faults, errors.New("close timeout is negative"))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.Concurrency == 0 {
		c.Concurrency = 4
	}
	if c.NackDelay == nil {
		c.NackDelay = Backoff
	}
	if c.ReopenDelay == nil {
		c.ReopenDelay = Backoff
	}
	if c.CloseTimeout == 0 {
		c.CloseTimeout = time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Backoff is about a second at the first attempt, doubles with each one up to
// about a minute, and varies by a quarter so that what failed together does not
// come back together.
func Backoff(attempt int) time.Duration {
	return backoff(attempt, time.Second, time.Minute)
}

// backoff returns first, doubled with each attempt up to longest, give or take
// an eighth.
func backoff(attempt int, first, longest time.Duration) time.Duration {
	d := min(first<<min(max(attempt-1, 0), 16), longest)
	return d - d/8 + rand.N(d/4+1)
}

// sleep waits and reports whether it did so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
