package queue_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// fakeBroker is a driver whose queues outlive their subscriptions: the
// subscriptions of one URL compete for its messages, and another one gets the
// messages that a closed one leaves behind. It fails when a test wants it to.
type fakeBroker struct {
	mu     sync.Mutex
	queues map[string]*fakeQueue // by URL
	traits queue.Traits
	// openErr is the error of opening, if it is not nil.
	openErr  error
	topicErr error
	opens    []time.Time // of each subscription, failed ones included
	open     func(context.Context) error
}

// fakeQueue keeps order, but a redelivered message comes last.
type fakeQueue struct {
	mu         sync.Mutex
	ready      []*fakeMessage
	leased     map[int]lease // by receipt, which is new for each delivery
	sent       int
	receipts   int
	arrived    chan struct{} // closed and replaced when a receive should look again
	generation int           // subscriptions of an older one are dead
	receiveErr error         // of every receive, if it is not nil
	paused     bool          // nothing is handed out
	deaf       bool          // acks have no answer
	sendErr    error
	acks       map[string]int // by body
	nacks      map[string]int
}

type fakeMessage struct {
	id, body   string
	metadata   message.Metadata
	deliveries int
}

type lease struct {
	m  *fakeMessage
	by *fakeSubscription
}

func newFakeBroker() *fakeBroker { return &fakeBroker{queues: make(map[string]*fakeQueue)} }

// config is a configuration without waits.
func config(concurrency int) queue.Config {
	return queue.Config{Concurrency: concurrency, NackDelay: immediately, ReopenDelay: immediately}
}

func immediately(int) time.Duration { return 0 }

var topics atomic.Int64

// newTopic returns a URL that no test used before.
func newTopic() string { return fmt.Sprintf("fake://topic-%d", topics.Add(1)) }

func newPubSub(t *testing.T, d queue.Driver, c queue.Config) (*queue.Publisher, *queue.Subscriber) {
	t.Helper()
	sub, err := queue.NewSubscriber(d, c)
	if err != nil {
		t.Fatal(err)
	}
	return queue.NewPublisher(d), sub
}

func (b *fakeBroker) Traits() queue.Traits { return b.traits }

func (b *fakeBroker) queue(url string) *fakeQueue {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queues[url] == nil {
		b.queues[url] = &fakeQueue{
			leased: make(map[int]lease), arrived: make(chan struct{}),
			acks: make(map[string]int), nacks: make(map[string]int),
		}
	}
	return b.queues[url]
}

func (b *fakeBroker) OpenTopic(_ context.Context, url string) (queue.Topic, error) {
	return fakeTopic{b.queue(url)}, b.topicErr
}

func (b *fakeBroker) OpenQueue(ctx context.Context, url string, _ int) (queue.Queue, error) {
	q := b.queue(url)
	b.mu.Lock()
	b.opens = append(b.opens, time.Now())
	err := b.openErr
	b.mu.Unlock()
	if err == nil && b.open != nil {
		err = b.open(ctx)
	}
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return &fakeSubscription{q: q, generation: q.generation}, nil
}

// failOpen makes opening a queue fail, until it is called with nil.
func (b *fakeBroker) failOpen(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.openErr = err
}

// opened returns when queues were opened.
func (b *fakeBroker) opened() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.opens)
}

// change changes the queue and makes receives look again.
func (q *fakeQueue) change(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
	close(q.arrived)
	q.arrived = make(chan struct{})
}

// kill makes every open subscription of the queue fail from now on.
func (q *fakeQueue) kill() { q.change(func() { q.generation++ }) }

// expire ends every lease.
func (q *fakeQueue) expire() { q.change(func() { q.release(nil) }) }

// pause stops deliveries, so that a test can count the messages that go back to the
// queue.
func (q *fakeQueue) pause() { q.change(func() { q.paused = true }) }

// release ends the leases of one subscription, or of all. The caller holds q.mu.
func (q *fakeQueue) release(by *fakeSubscription) {
	for _, receipt := range slices.Sorted(maps.Keys(q.leased)) {
		if l := q.leased[receipt]; by == nil || by == l.by {
			delete(q.leased, receipt)
			q.ready = append(q.ready, l.m)
		}
	}
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

type fakeTopic struct{ q *fakeQueue }

func (t fakeTopic) Send(_ context.Context, m *message.Message) (err error) {
	q := t.q
	q.change(func() {
		if err = q.sendErr; err != nil {
			return
		}
		q.sent++
		sent := &fakeMessage{id: m.UUID, body: string(m.Payload), metadata: maps.Clone(m.Metadata)}
		if sent.id == "" {
			sent.id = fmt.Sprint("fake-", q.sent)
		}
		q.ready = append(q.ready, sent)
	})
	return err
}

func (fakeTopic) Close() error { return nil }

type fakeSubscription struct {
	q          *fakeQueue
	generation int
	closed     bool // guarded by q.mu
}

var errDied = errors.New("connection reset by broker")

func (s *fakeSubscription) Receive(ctx context.Context, n int) ([]queue.Delivery, error) {
	for {
		got, arrived, err := s.receive(n)
		if len(got) > 0 || err != nil {
			return got, err
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *fakeSubscription) receive(n int) (got []queue.Delivery, arrived <-chan struct{}, err error) {
	q := s.q
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.receiveErr != nil {
		return nil, nil, q.receiveErr
	}
	if s.closed || s.generation != q.generation {
		return nil, nil, errDied
	}
	if q.paused {
		return nil, q.arrived, nil
	}
	n = min(n, len(q.ready))
	for _, m := range q.ready[:n] {
		q.receipts++
		m.deliveries++
		q.leased[q.receipts] = lease{m, s}
		out := message.NewMessage(m.id, []byte(m.body))
		maps.Copy(out.Metadata, m.metadata)
		got = append(got, queue.Delivery{Message: out, Lease: queue.Hold(&receipt{q, q.receipts}, m.deliveries, 0)})
	}
	q.ready = slices.Delete(q.ready, 0, n)
	return got, q.arrived, nil
}

// Close ends the leases of the subscription's messages.
func (s *fakeSubscription) Close() error {
	s.q.change(func() {
		s.closed = true
		s.q.release(s)
	})
	return nil
}

// receipt settles one delivery.
type receipt struct {
	q  *fakeQueue
	id int
}

func (r *receipt) Extend(context.Context, time.Duration) error { return nil }

func (r *receipt) Ack(ctx context.Context) error { return r.settle(ctx, r.q.acks, false) }

func (r *receipt) Nack(ctx context.Context, _ time.Duration) error {
	return r.settle(ctx, r.q.nacks, true)
}

func (r *receipt) settle(ctx context.Context, count map[string]int, again bool) (err error) {
	r.q.change(func() {
		if r.q.deaf {
			return
		}
		l, found := r.q.leased[r.id]
		if !found {
			err = fmt.Errorf("%w: receipt %d is not valid", pipeline.ErrLeaseLost, r.id)
			return
		}
		delete(r.q.leased, r.id)
		count[l.m.body]++
		if again {
			r.q.ready = append(r.q.ready, l.m)
		}
	})
	if r.q.deaf {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}
