package cloudpubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"gocloud.dev/pubsub"
)

// Subscriber receives messages; a Watermill topic is the gocloud URL of a
// subscription. Safe for concurrent use.
type Subscriber struct {
	config Config
	close  func() error // once

	stopping, overdue context.Context // end with Close, and CloseTimeout after it
	stop, expire      context.CancelFunc
	running           sync.WaitGroup // one for each Subscribe

	mu     sync.Mutex
	queues map[string]*openQueue // by URL
}

// NewSubscriber returns a subscriber.
func NewSubscriber(c Config) (*Subscriber, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cloudpubsub: %w", err)
	}
	s := &Subscriber{config: c.withDefaults(), queues: make(map[string]*openQueue)}
	s.close = sync.OnceValue(s.shutdown)
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.overdue, s.expire = context.WithCancel(context.Background())
	return s, nil
}

// SubscribeInitialize opens the subscription before anybody subscribes, so that
// what is published in between is not lost where a queue keeps messages for
// open subscriptions only, and a wrong URL shows.
func (s *Subscriber) SubscribeInitialize(url string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.queue(s.stopping, url)
	return err
}

// queue returns the open queue of a URL. The caller holds s.mu.
func (s *Subscriber) queue(ctx context.Context, url string) (*openQueue, error) {
	if s.stopping.Err() != nil {
		return nil, fmt.Errorf("subscribe to %s: subscriber %w", redacted(url), ErrClosed)
	}
	if q := s.queues[url]; q != nil {
		return q, nil
	}
	q := newQueue(url, s.config)
	if err := q.replace(ctx, nil); err != nil {
		return nil, err
	}
	s.queues[url] = q
	return q, nil
}

// Subscribe delivers messages until ctx ends or the subscriber closes; then
// intake stops at once, and the channel is closed when every message delivered
// through it is acked or nacked. The contexts of messages do not end with ctx;
// each ends when its message is settled. Several subscriptions to one URL share
// its messages.
func (s *Subscriber) Subscribe(ctx context.Context, url string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	forget := context.AfterFunc(s.stopping, cancel)
	q, err := s.queue(ctx, url)
	if err != nil {
		forget()
		cancel()
		return nil, err
	}
	out := make(chan *message.Message)
	s.running.Go(func() {
		defer cancel()
		defer forget()
		var delivered sync.WaitGroup
		s.receive(ctx, q, func(sub *subscription, m *pubsub.Message) {
			delivered.Go(func() {
				defer sub.inFlight.Done()
				if s.config.Lease != nil {
					s.deliverLeased(ctx, q, m, out)
					return
				}
				s.deliver(ctx, q, m, out)
			})
		})
		delivered.Wait()
		close(out)
	})
	return out, nil
}

// Fault returns why nothing can be received at the moment from one of the queues,
// which is tried again and again; nil if nobody has noticed anything. It asks
// nobody.
func (s *Subscriber) Fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		q.mu.Lock()
		err := q.fault
		q.mu.Unlock()
		if err != nil {
			return fmt.Errorf("receive from %s: %w", redacted(q.url), err)
		}
	}
	return nil
}

// Close stops intake at once, waits until every delivered message is acked or
// nacked (see Config.CloseTimeout), gives those that wait for their redelivery
// back, sends what it has to say to the queue, for 10 s at most, and closes the
// subscriptions. Another Close waits for the first and returns the same.
func (s *Subscriber) Close() error { return s.close() }

func (s *Subscriber) shutdown() error {
	s.stop()    // ends a hanging open, which holds s.mu
	s.mu.Lock() // a Subscribe that came before is counted in running
	queues := s.queues
	s.mu.Unlock()

	if s.config.Lease != nil {
		stopReceiving(queues)
	}
	timer := time.AfterFunc(s.config.CloseTimeout, s.expire)
	defer timer.Stop()
	s.running.Wait()
	s.expire()
	var errs []error
	for _, q := range queues {
		errs = append(errs, q.close())
	}
	return errors.Join(errs...)
}

// receive takes a slot, then a message, and hands both on, until ctx ends.
func (s *Subscriber) receive(ctx context.Context, q *openQueue, hand func(*subscription, *pubsub.Message)) {
	failures := 0 // in a row
	for {
		select {
		case q.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		sub := q.take()
		m, err := sub.Receive(ctx)
		if err == nil {
			failures = 0
			hand(sub, m)
			continue
		}
		sub.inFlight.Done()
		<-q.slots
		if ctx.Err() != nil || s.stopping.Err() != nil { // ctx follows a moment later
			return
		}
		// One failed receive or ack kills a subscription for good.
		if time.Since(sub.opened) > healthyAfter {
			failures = 0
		}
		failures++
		q.failed(err)
		s.config.Log.Warn("subscription died, opening another", "queue", redacted(q.url), "err", redact(err, q.url), "attempt", failures)
		if failures = s.reopen(ctx, q, sub, failures); failures == 0 {
			return
		}
	}
}

// healthyAfter is the life of a subscription after which its death is not one
// more of a row: opening is lazy in many drivers, and only a receive fails.
const healthyAfter = 2 * time.Minute

// reopen tries until there is a live subscription. It returns how many failures
// there were in a row; 0 when ctx ended first.
func (s *Subscriber) reopen(ctx context.Context, q *openQueue, dead *subscription, failures int) int {
	for sleep(ctx, s.config.ReopenDelay(failures)) {
		err := q.replace(ctx, dead)
		if err == nil {
			return failures
		}
		if ctx.Err() != nil {
			return 0
		}
		failures++
		q.failed(err)
		s.config.Log.Warn("cannot open the subscription", "queue", redacted(q.url), "err", err, "attempt", failures)
	}
	return 0
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
