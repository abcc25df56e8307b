package cloudpubsub

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gocloud.dev/pubsub"
)

// waitingPerSlot is how many nacked messages wait for their redelivery, for each
// that may be in flight. Their leases run and their payloads are in memory.
const waitingPerSlot = 16

// openQueue is what one URL names: a subscription that lives, and those that died
// but have messages in flight. Acks go through the subscription that delivered
// the message.
type openQueue struct {
	url      string
	config   Config
	slots    chan struct{} // one element for each message in flight
	waiting  chan struct{} // one for each that waits for its redelivery outside of a slot
	attempts attempts

	mu       sync.Mutex
	live     *subscription
	fault    error // why live is dead; nil: nobody has noticed that it is
	retiring sync.WaitGroup
}

func newQueue(url string, c Config) *openQueue {
	return &openQueue{
		url:     url,
		config:  c,
		slots:   make(chan struct{}, c.Concurrency),
		waiting: make(chan struct{}, c.Concurrency*waitingPerSlot),
	}
}

// subscription is a gocloud subscription and its messages in flight.
type subscription struct {
	*pubsub.Subscription
	inFlight sync.WaitGroup
	opened   time.Time
	end      func() error // sends acks and closes, once
}

func newSubscription(s *pubsub.Subscription) *subscription {
	return &subscription{Subscription: s, opened: time.Now(), end: sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), flushTime)
		defer cancel()
		return s.Shutdown(ctx)
	})}
}

// take returns the live subscription for one message. The caller gives it back
// with inFlight.Done; until then it is not closed.
func (q *openQueue) take() *subscription {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.live.inFlight.Add(1)
	return q.live
}

// replace opens a subscription in the place of dead, unless somebody was faster.
// dead is closed when the last of its messages is settled.
func (q *openQueue) replace(ctx context.Context, dead *subscription) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.live != dead {
		return nil
	}
	fresh, err := q.config.OpenSubscription(ctx, q.url)
	if err != nil {
		return fmt.Errorf("open subscription %s: %w", redacted(q.url), redact(err, q.url))
	}
	q.live, q.fault = newSubscription(fresh), nil
	if dead != nil {
		q.retiring.Go(func() {
			if err := dead.close(); err != nil {
				q.config.Log.Warn("dead subscription closed with an error", "queue", redacted(q.url), "err", redact(err, q.url))
			}
		})
	}
	return nil
}

// failed keeps why nothing can be received from the queue at the moment.
func (q *openQueue) failed(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fault = redact(err, q.url)
}

// close closes the subscriptions when the last of their messages is settled.
func (q *openQueue) close() error {
	err := q.live.close()
	q.retiring.Wait()
	if err != nil {
		return fmt.Errorf("close subscription %s: %w", redacted(q.url), redact(err, q.url))
	}
	return nil
}

// close waits for the messages in flight, sends their acks and closes.
func (s *subscription) close() error {
	s.inFlight.Wait()
	return s.end()
}

// nack gives the message back. Where a queue has no nack, the end of the
// message's lease does the same.
func nack(m *pubsub.Message) {
	if m.Nackable() {
		m.Nack()
	}
}
