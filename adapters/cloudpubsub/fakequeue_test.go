package cloudpubsub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/driver"
)

// fakeBroker is a gocloud queue that outlives its subscriptions, as SQS does
// and mempubsub does not: the subscriptions of one topic compete for its
// messages, and what one leaves behind another gets. It fails when told to.
type fakeBroker struct {
	mu     sync.Mutex
	queues map[string]*fakeQueue
	// failOpen is how many times opening a subscription fails from now on.
	failOpen int
	opened   int
}

type fakeQueue struct {
	mu      sync.Mutex
	ready   []*driver.Message
	leased  map[int]*driver.Message
	last    int
	arrived chan struct{} // closed and made anew when something becomes ready
	// fail is the error of the next receive or ack of each subscription open now.
	fail       error
	generation int
	acks       map[string]int // by body
	nacks      map[string]int
}

func newFakeBroker() *fakeBroker { return &fakeBroker{queues: make(map[string]*fakeQueue)} }

func (b *fakeBroker) queue(url string) *fakeQueue {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queues[url] == nil {
		b.queues[url] = &fakeQueue{
			leased: make(map[int]*driver.Message), arrived: make(chan struct{}),
			acks: make(map[string]int), nacks: make(map[string]int),
		}
	}
	return b.queues[url]
}

func (b *fakeBroker) openTopic(_ context.Context, url string) (*pubsub.Topic, error) {
	return pubsub.NewTopic(&fakeTopic{q: b.queue(url)}, nil), nil
}

func (b *fakeBroker) openSubscription(_ context.Context, url string) (*pubsub.Subscription, error) {
	q := b.queue(url)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened++
	if b.failOpen > 0 {
		b.failOpen--
		return nil, errors.New("no route to broker")
	}
	return pubsub.NewSubscription(&fakeSubscription{q: q, generation: q.generation}, nil, nil), nil
}

// kill makes every open subscription of the queue fail from now on.
func (q *fakeQueue) kill() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.generation++
	q.wake()
}

// settled returns how often a body was acked and nacked.
func (q *fakeQueue) settled(body string) (acks, nacks int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.acks[body], q.nacks[body]
}

// left returns how many messages are ready and how many are leased.
func (q *fakeQueue) left() (ready, leased int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ready), len(q.leased)
}

func (q *fakeQueue) wake() {
	close(q.arrived)
	q.arrived = make(chan struct{})
}

// noErrors is the part of the drivers that says nothing.
type noErrors struct{}

func (noErrors) IsRetryable(error) bool             { return false }
func (noErrors) As(any) bool                        { return false }
func (noErrors) ErrorAs(error, any) bool            { return false }
func (noErrors) ErrorCode(error) gcerrors.ErrorCode { return gcerrors.Unknown }
func (noErrors) Close() error                       { return nil }

type fakeTopic struct {
	noErrors
	q *fakeQueue
}

func (t *fakeTopic) SendBatch(_ context.Context, ms []*driver.Message) error {
	t.q.mu.Lock()
	defer t.q.mu.Unlock()
	for _, m := range ms {
		t.q.last++
		t.q.ready = append(t.q.ready, &driver.Message{
			Body: m.Body, Metadata: m.Metadata, AckID: t.q.last,
			LoggableID: fmt.Sprint("fake-", t.q.last), AsFunc: func(any) bool { return false },
		})
	}
	t.q.wake()
	return nil
}

type fakeSubscription struct {
	noErrors
	q          *fakeQueue
	generation int
}

var errDied = errors.New("connection reset by broker")

func (s *fakeSubscription) ReceiveBatch(ctx context.Context, n int) ([]*driver.Message, error) {
	for {
		s.q.mu.Lock()
		if s.generation != s.q.generation {
			s.q.mu.Unlock()
			return nil, errDied
		}
		if len(s.q.ready) > 0 {
			n = min(n, len(s.q.ready))
			ms := slices.Clone(s.q.ready[:n])
			s.q.ready = slices.Delete(s.q.ready, 0, n)
			for _, m := range ms {
				s.q.leased[m.AckID.(int)] = m
			}
			s.q.mu.Unlock()
			return ms, nil
		}
		arrived := s.q.arrived
		s.q.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *fakeSubscription) SendAcks(_ context.Context, ids []driver.AckID) error {
	return s.settle(ids, s.q.acks, false)
}

func (s *fakeSubscription) CanNack() bool { return true }

func (s *fakeSubscription) SendNacks(_ context.Context, ids []driver.AckID) error {
	return s.settle(ids, s.q.nacks, true)
}

func (s *fakeSubscription) settle(ids []driver.AckID, count map[string]int, again bool) error {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	for _, id := range ids {
		m := s.q.leased[id.(int)]
		if m == nil {
			return fmt.Errorf("message %v is not leased", id)
		}
		delete(s.q.leased, id.(int))
		count[string(m.Body)]++
		if again {
			s.q.ready = append(s.q.ready, m)
		}
	}
	if again {
		s.q.wake()
	}
	return nil
}

// Close gives what was prefetched back, as the end of its lease would.
func (s *fakeSubscription) Close() error {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	for id, m := range s.q.leased {
		delete(s.q.leased, id)
		s.q.ready = append(s.q.ready, m)
	}
	s.q.wake()
	return nil
}

// immediately is a delay for tests.
func immediately(int) time.Duration { return 0 }
