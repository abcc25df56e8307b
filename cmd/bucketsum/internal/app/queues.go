package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Queues opens the queues that URLs name, each with the adapter of its scheme. Its
// methods are not safe for concurrent use.
type Queues struct {
	cloud   cloudpubsub.Config
	sqs     *sqs.Queues
	brokers queue.Config
	drivers map[string]queue.Driver // by scheme
	closes  []func() error          // of what was opened, in order
}

// QueuesConfig configures Queues.
type QueuesConfig struct {
	Drivers      map[string]queue.Driver // by scheme
	Concurrency  int                     // messages that each subscription holds, at most
	DrainTimeout time.Duration           // of their work when the queues close
	Watch        pipeline.LeaseWatch     // is told of what they hold; zero: nobody
	Log          *slog.Logger
}

// NewQueues returns Queues that have nothing open yet.
func NewQueues(c QueuesConfig) (*Queues, error) {
	// The pipeline drains; what it leaves behind goes back to the queue.
	closeTimeout := c.DrainTimeout + 10*time.Second
	leased, err := sqs.New(sqs.Config{Concurrency: c.Concurrency, CloseTimeout: closeTimeout, Watch: c.Watch, Log: c.Log})
	if err != nil {
		return nil, err
	}
	return &Queues{
		cloud:   cloudpubsub.Config{Concurrency: c.Concurrency, CloseTimeout: closeTimeout, Watch: c.Watch, Log: c.Log},
		sqs:     leased,
		brokers: queue.Config{Concurrency: c.Concurrency, CloseTimeout: closeTimeout, Watch: c.Watch, Log: c.Log},
		drivers: c.Drivers,
		closes:  []func() error{leased.Close},
	}, nil
}

// Subscriber returns a subscriber whose queue at the URL is open already, so
// that a wrong one shows, and nothing that is published from now on is missed.
func (q *Queues) Subscriber(rawURL string) (message.Subscriber, error) {
	var s interface {
		message.Subscriber
		message.SubscribeInitializer
	}
	var err error
	switch c, scheme := q.cloud, schemeOf(rawURL); {
	case q.drivers[scheme] != nil:
		s, err = queue.NewSubscriber(q.drivers[scheme], q.brokers)
	case scheme == sqs.SchemeOrdered:
		s = sqs.NewSubscriber(q.sqs)
	case scheme == sqs.SchemeParallel:
		c.NackDelay, c.OpenSubscription, c.Lease = sqs.Backoff, q.sqs.OpenSubscription, q.sqs.Lease
		fallthrough
	default:
		s, err = cloudpubsub.NewSubscriber(c)
	}
	if err != nil {
		return nil, err
	}
	q.closes = append(q.closes, s.Close)
	return s, s.SubscribeInitialize(rawURL)
}

// reachable reports why nothing can be received from the queue of a subscriber: SQS and
// Kafka are asked, of the others that is known which failed the last time.
func (q *Queues) reachable(ctx context.Context, s message.Subscriber, rawURL string) error {
	if s, ok := s.(interface{ Fault() error }); ok {
		if err := s.Fault(); err != nil {
			return err
		}
	}
	scheme := schemeOf(rawURL)
	if scheme == sqs.SchemeOrdered || scheme == sqs.SchemeParallel {
		return q.sqs.Open(ctx, rawURL)
	}
	if d, ok := q.drivers[scheme].(interface {
		Reachable(ctx context.Context, url string) error
	}); ok {
		return queue.Redact(d.Reachable(ctx, rawURL), rawURL)
	}
	return nil
}

// Publisher returns a publisher whose topic at the URL is open already.
func (q *Queues) Publisher(ctx context.Context, rawURL string) (message.Publisher, error) {
	var p interface {
		message.Publisher
		Open(ctx context.Context, url string) error
	}
	var err error
	switch scheme := schemeOf(rawURL); {
	case q.drivers[scheme] != nil:
		p = queue.NewPublisher(q.drivers[scheme])
	case scheme == sqs.SchemeOrdered, scheme == sqs.SchemeParallel:
		p = sqs.NewPublisher(q.sqs)
	default:
		p, err = cloudpubsub.NewPublisher(q.cloud)
	}
	if err != nil {
		return nil, err
	}
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

func schemeOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Scheme
}
