package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Queues opens queues and topics by URL. Its methods are not safe for concurrent use.
type Queues struct {
	config  queue.Config
	drivers queue.Drivers
	closes  closers
}

// closers close what was opened. They are in the order of opening.
type closers []func() error

// close calls the functions in reverse order and joins their errors.
func (cs closers) close() error {
	var errs []error
	for _, c := range slices.Backward(cs) {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// NewQueues returns Queues without any open queue. It uses only Drivers, Concurrency,
// DrainTimeout, Observer and Log of the Config.
func NewQueues(c Config) *Queues {
	return &Queues{
		drivers: c.Drivers,
		config: queue.Config{
			Concurrency: c.Concurrency, Observer: c.Observer, Log: c.Log,
			// The pipeline drains first. Messages that it leaves go back to the queue.
			CloseTimeout: c.DrainTimeout + 10*time.Second,
		},
	}
}

// Subscriber returns a subscriber whose queue is already open, so that a wrong URL shows
// at once and no message that is published from now on is missed. The end of ctx ends only
// the opening.
func (q *Queues) Subscriber(ctx context.Context, rawURL string) (*queue.Subscriber, error) {
	d, err := q.drivers.Of(rawURL)
	if err != nil {
		return nil, err
	}
	s, err := queue.NewSubscriber(d, q.config)
	if err != nil {
		return nil, err
	}
	goOn := context.AfterFunc(ctx, func() { _ = s.Close() }) // which interrupts the opening
	err = s.SubscribeInitialize(rawURL)
	if !goOn() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	q.closes = append(q.closes, s.Close)
	return s, nil
}

// reachable returns why the subscriber cannot receive, as far as it knows or its driver
// can ask, or nil.
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

// Publisher returns a publisher whose topic is already open.
func (q *Queues) Publisher(ctx context.Context, rawURL string) (message.Publisher, error) {
	d, err := q.drivers.Of(rawURL)
	if err != nil {
		return nil, err
	}
	p := queue.NewPublisher(d)
	if err := p.Open(ctx, rawURL); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	q.closes = append(q.closes, p.Close)
	return p, nil
}

// Close closes all queues and topics in reverse order.
func (q *Queues) Close() error {
	if err := q.closes.close(); err != nil {
		return fmt.Errorf("close the queues: %w", err)
	}
	return nil
}
