// Package cloudpubsub makes the queues that gocloud.dev/pubsub can open by URL
// (mem://, awssqs://, …) Watermill publishers and subscribers.
//
// What it adds to gocloud's subscription: a bound on the messages in flight, an
// Ack or Nack that happens once, a new subscription when the old one has died,
// waits before a redelivery, and a Close that neither loses nor doubles work.
//
// The schemes are mem and those that the program has imported drivers of.
//
// # Leases
//
// Nothing here extends a message's lease: it must outlast the longest work (twice
// it, if one message is fetched ahead) and the longest Config.NackDelay together,
// else the queue delivers the message a second time while the first delivery is
// in work.
//
// A gocloud subscription fetches ahead, by default as many messages as it
// expects to need in two seconds, and their leases run. A driver's URLOpener can
// bound that with ReceiveBatcherOptions; give Config.OpenSubscription one that
// does. mem is opened so: one message ahead. What a subscription has fetched
// ahead when it closes comes again when its lease ends.
//
// # The in-memory queue
//
// mem://NAME is a queue of this process and ends with it. It holds every message
// in memory until it is acked, without a bound. Every subscription gets a copy
// of every message, so workers that share the work share one [Subscriber] and
// one URL; and it gets only what is published while it is open: call
// [Subscriber.SubscribeInitialize] before the first Publish. A lease lasts a day
// unless the URL says otherwise (mem://NAME?ackdeadline=1h; gocloud's own default
// of a minute would redeliver a large file while it is read). A topic lives as
// long as the process: it outlives the publishers that close.
package cloudpubsub

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/mempubsub"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// ErrClosed is the error of a publisher or subscriber that was closed.
var ErrClosed = errors.New("closed")

// metadataUUID carries a message's UUID through a queue that has none.
const metadataUUID = "watermill_message_uuid"

const (
	// flushTime is what a closing subscription or topic gets to send what is
	// buffered: with a broker that is gone it would try for ever.
	flushTime = 10 * time.Second
)

// Traits are the traits of the in-memory queue. Its deliveries are counted for as
// long as the process lives, which is as long as the queue does.
var Traits = queue.Traits{
	Schemes:       []queue.Scheme{{Name: mempubsub.Scheme, Example: "mem://events (ends with the process)"}},
	NoDeadLetters: "has no dead letters of its own: a message that always fails is redelivered without limit; name a topic for it with --dead-letter",
	OwnTopic:      true,
}

// Config is the configuration of a [Subscriber] and a [Publisher]. The zero
// value is the default.
type Config struct {
	// Concurrency is how many messages of one URL are in flight at most.
	// Default 4.
	Concurrency int
	// NackDelay is how long a message that was nacked on its nth delivery waits
	// before the queue may deliver it again. Such a message is not in flight,
	// unless so many wait (16 for each that may be in flight) that the intake has
	// to slow down. The wait ends early when the subscriber closes. Default:
	// Backoff.
	NackDelay func(attempt int) time.Duration
	// ReopenDelay is how long to wait after the nth failure in a row before a
	// subscription is opened anew. Default: Backoff.
	ReopenDelay func(attempt int) time.Duration
	// CloseTimeout is how long Close waits for messages in flight. Then their
	// contexts are cancelled, and what is still not settled a moment later is
	// given back to the queue, whatever is said of it after that. Default 1 min.
	CloseTimeout time.Duration
	// OpenSubscription and OpenTopic open what a URL names. Default: the
	// drivers that the program has imported.
	OpenSubscription func(ctx context.Context, url string) (*pubsub.Subscription, error)
	OpenTopic        func(ctx context.Context, url string) (*pubsub.Topic, error)
	// Lease, if set, takes the lease on a message that a subscription of the URL
	// delivered. It is for queues that give a message to one worker for a
	// limited time. The message's context then ends with its lease; the
	// lease is acked and nacked in place of gocloud's message, whose Nack must do
	// nothing; redeliveries are counted and delayed by the queue.
	Lease func(ctx context.Context, url string, m *pubsub.Message) (pipeline.Lease, error)
	Watch pipeline.LeaseWatch
	Log   *slog.Logger // default: discarded
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
	if c.OpenSubscription == nil {
		c.OpenSubscription = openSubscription
	}
	if c.OpenTopic == nil {
		c.OpenTopic = openTopic
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
	d := time.Second << min(max(attempt-1, 0), 6)
	return d - d/8 + rand.N(d/4)
}
