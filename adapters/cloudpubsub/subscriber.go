package cloudpubsub

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"gocloud.dev/pubsub"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Subscriber receives messages; a Watermill topic is the gocloud URL of a
// subscription. Safe for concurrent use.
type Subscriber struct {
	config   Config
	attempts attempts

	stopping, overdue context.Context // end with Close, and CloseTimeout after it
	stop, expire      context.CancelFunc
	running           sync.WaitGroup // one for each Subscribe

	mu     sync.Mutex
	queues map[string]*queue // by URL
	closed bool
}

// NewSubscriber returns a subscriber.
func NewSubscriber(c Config) (*Subscriber, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cloudpubsub: %w", err)
	}
	c = c.withDefaults()
	s := &Subscriber{
		config: c,
		queues: make(map[string]*queue),
	}
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
	_, err := s.queue(context.Background(), url)
	return err
}

// queue returns the open queue of a URL. The caller holds s.mu.
func (s *Subscriber) queue(ctx context.Context, url string) (*queue, error) {
	if s.closed {
		return nil, fmt.Errorf("subscribe to %s: subscriber %w", redacted(url), ErrClosed)
	}
	if q := s.queues[url]; q != nil {
		return q, nil
	}
	q := &queue{url: url, config: s.config, slots: make(chan struct{}, s.config.Concurrency)}
	if _, err := q.replace(ctx, nil); err != nil {
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
	q, err := s.queue(ctx, url)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	s.running.Go(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.stopping, cancel)()
		var delivered sync.WaitGroup
		s.receive(ctx, q, func(sub *subscription, m *pubsub.Message) {
			delivered.Go(func() { s.deliver(ctx, q, sub, m, out) })
		})
		delivered.Wait()
		close(out)
	})
	return out, nil
}

// Close stops intake at once, waits until every delivered message is acked or
// nacked (see Config.CloseTimeout), gives those that wait for their redelivery
// back, and closes the subscriptions. A second Close only waits.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()

	s.stop()
	s.stopReceiving()
	timer := time.AfterFunc(s.config.CloseTimeout, s.expire)
	defer timer.Stop()
	s.running.Wait()
	s.expire()
	if !first {
		return nil
	}
	var errs []error
	for _, q := range s.queues {
		errs = append(errs, q.close())
	}
	return errors.Join(errs...)
}

// receive takes a slot, then a message, and hands both on, until ctx ends.
func (s *Subscriber) receive(ctx context.Context, q *queue, hand func(*subscription, *pubsub.Message)) {
	sub := q.current()
	for {
		select {
		case q.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		m, err := sub.Receive(ctx)
		if err == nil {
			sub.inFlight.Add(1)
			hand(sub, m)
			continue
		}
		<-q.slots
		if ctx.Err() != nil || s.stopping.Err() != nil {
			return
		}
		// One failed receive or ack kills a subscription for good.
		s.config.Log.Warn("subscription died, opening another", "queue", redacted(q.url), "err", err)
		if sub = s.reopen(ctx, q, sub); sub == nil {
			return
		}
	}
}

// reopen tries until it has a live subscription; nil when ctx ends first.
func (s *Subscriber) reopen(ctx context.Context, q *queue, dead *subscription) *subscription {
	for attempt := 1; sleep(ctx, s.config.ReopenDelay(attempt)); attempt++ {
		sub, err := q.replace(ctx, dead)
		if err == nil {
			return sub
		}
		if ctx.Err() == nil {
			s.config.Log.Warn("cannot open the subscription", "queue", redacted(q.url), "err", err, "attempt", attempt)
		}
	}
	return nil
}

// deliver hands one message on, waits until it is settled and settles it with
// the queue, once. It gives the slot back.
func (s *Subscriber) deliver(ctx context.Context, q *queue, sub *subscription, m *pubsub.Message, out chan<- *message.Message) {
	free := sync.OnceFunc(func() { <-q.slots })
	defer free()
	defer sub.inFlight.Done()
	if s.config.Lease != nil {
		s.deliverLeased(ctx, q, m, out)
		return
	}

	msg := s.message(m)
	msgCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	msg.SetContext(msgCtx)
	select {
	case out <- msg:
	case <-ctx.Done():
		sub.nack(m) // nobody has seen it: back at once
		return
	}
	if s.settle(msg, cancel) {
		s.attempts.forget(msg.UUID)
		m.Ack() // the consumer has said that the work is done
		return
	}
	free() // while it waits another message may be in flight
	sleep(ctx, s.config.NackDelay(pipeline.Attempt(msg)))
	sub.nack(m) // the work is not done
}

// settle waits until the message is acked or nacked and reports whether it was
// acked. It waits no longer than a closing subscriber does: then it cancels the
// message's context, and takes silence for a nack.
func (s *Subscriber) settle(msg *message.Message, cancel context.CancelFunc) (acked bool) {
	defer cancel()
	select {
	case <-msg.Acked():
		return true
	case <-msg.Nacked():
		return false
	case <-s.overdue.Done():
	}
	cancel()
	grace := time.NewTimer(settleTime)
	defer grace.Stop()
	select {
	case <-msg.Acked():
		return true
	case <-msg.Nacked():
	case <-grace.C:
	}
	return false
}

// message translates from gocloud to Watermill.
func (s *Subscriber) message(m *pubsub.Message) *message.Message {
	id := m.Metadata[metadataUUID]
	if id == "" {
		id = m.LoggableID
	}
	if id == "" || id == "unknown" {
		id = watermill.NewUUID()
	}
	msg := message.NewMessage(id, m.Body)
	for k, v := range m.Metadata {
		if k != metadataUUID {
			msg.Metadata.Set(k, v)
		}
	}
	msg.Metadata.Set(pipeline.MetadataAttempt, strconv.Itoa(s.attempts.next(id)))
	return msg
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
