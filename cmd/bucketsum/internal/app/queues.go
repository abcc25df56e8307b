package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Queues opens the queues that URLs name, each with the adapter of its scheme. Its
// methods are not safe for concurrent use.
type Queues struct {
	config  queue.Config
	drivers queue.Drivers
	closes  []func() error // of what was opened, in order
}

// QueuesConfig configures Queues.
type QueuesConfig struct {
	Drivers      queue.Drivers
	Concurrency  int               // messages that each subscription holds, at most
	DrainTimeout time.Duration     // of their work when the queues close
	Observer     pipeline.Observer // of leases, acks and nacks
	Log          *slog.Logger
}

// NewQueues returns Queues that have nothing open yet.
func NewQueues(c QueuesConfig) *Queues {
	return &Queues{
		drivers: c.Drivers,
		config: queue.Config{
			Concurrency: c.Concurrency, Observer: c.Observer, Log: c.Log,
			// The pipeline drains; what it leaves behind goes back to the queue.
			CloseTimeout: c.DrainTimeout + 10*time.Second,
		},
	}
}

// Subscriber returns a subscriber whose queue at the URL is open already, so
// that a wrong one shows, and nothing that is published from now on is missed.
func (q *Queues) Subscriber(rawURL string) (*queue.Subscriber, error) {
	d, err := q.drivers.Of(rawURL)
	if err != nil {
		return nil, err
	}
	s, err := queue.NewSubscriber(d, q.config)
	if err != nil {
		return nil, err
	}
	q.closes = append(q.closes, s.Close)
	return s, s.SubscribeInitialize(rawURL)
}

// reachable reports why nothing can be received from the queue of a subscriber, as
// far as that knows or its driver can ask.
func (q *Queues) reachable(ctx context.Context, s *queue.Subscriber, rawURL string) error {
	if err := s.Fault(); err != nil {
		return err
	}
	d, err := q.drivers.Of(rawURL)
	if err != nil {
		return err
	}
	if ask := d.Traits().Reachable; ask != nil {
		return redact.Error(ask(ctx, rawURL), rawURL)
	}
	return nil
}

// Publisher returns a publisher whose topic at the URL is open already.
func (q *Queues) Publisher(ctx context.Context, rawURL string) (message.Publisher, error) {
	d, err := q.drivers.Of(rawURL)
	if err != nil {
		return nil, err
	}
	p := queue.NewPublisher(d)
	q.closes = append(q.closes, p.Close)
	return p, p.Open(ctx, rawURL)
}

// Close closes what was opened, the last first.
func (q *Queues) Close() error {
	var errs []error
	for i := len(q.closes) - 1; i >= 0; i-- {
		errs = append(errs, q.closes[i]())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the queues: %w", err)
	}
	return nil
}
