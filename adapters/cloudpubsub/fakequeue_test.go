package cloudpubsub_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/batcher"
	"gocloud.dev/pubsub/driver"

	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
)

// fakeBroker is a gocloud queue that outlives its subscriptions, as SQS does
// and mempubsub does not: the subscriptions of one topic compete for its
// messages, and what one leaves behind another gets. It fails when told to.
type fakeBroker struct {
	mu     sync.Mutex
	queues map[string]*fakeQueue // by URL
	// openErr is what opening fails with, if it is not nil.
	openErr error
	opens   []time.Time // of each subscription, failed ones included
}

// fakeQueue is in order, except that a message that comes back is the last.
type fakeQueue struct {
	mu         sync.Mutex
	ready      []*driver.Message
	leased     map[int]lease // by receipt, which is new for each delivery
	sent       int
	receipts   int
	arrived    chan struct{} // closed and made anew when a receive should look again
	generation int           // subscriptions of an older one are dead
	receiveErr error         // what every receive fails with, if it is not nil
	paused     bool          // nothing is handed out
	sendErr    error
	acks       map[string]int // by body
	nacks      map[string]int
}

type lease struct {
	m  *driver.Message
	by *fakeSubscription
}

func newFakeBroker() *fakeBroker { return &fakeBroker{queues: make(map[string]*fakeQueue)} }

// config is one for tests: nothing waits.
func (b *fakeBroker) config(concurrency int) cloudpubsub.Config {
	return cloudpubsub.Config{
		Concurrency:      concurrency,
		NackDelay:        immediately,
		ReopenDelay:      immediately,
		OpenTopic:        b.openTopic,
		OpenSubscription: b.openSubscription,
	}
}

func immediately(int) time.Duration { return 0 }

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

func (b *fakeBroker) openTopic(_ context.Context, url string) (*pubsub.Topic, error) {
	return pubsub.NewTopic(&fakeTopic{q: b.queue(url)}, nil), nil
}

func (b *fakeBroker) openSubscription(_ context.Context, url string) (*pubsub.Subscription, error) {
	q := b.queue(url)
	b.mu.Lock()
	b.opens = append(b.opens, time.Now())
	err := b.openErr
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return pubsub.NewSubscription(&fakeSubscription{q: q, generation: q.generation},
		&batcher.Options{MaxHandlers: 1, MaxBatchSize: 1}, nil), nil
}

// failOpen makes opening a subscription fail, until it is called with nil.
func (b *fakeBroker) failOpen(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.openErr = err
}

// opened returns when subscriptions were opened.
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

// pause stops handing out, so that what goes back to the queue can be counted
// before a subscription that closes fetches it ahead once more.
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

func (t *fakeTopic) SendBatch(_ context.Context, ms []*driver.Message) (err error) {
	q := t.q
	q.change(func() {
		if err = q.sendErr; err != nil {
			return
		}
		for _, m := range ms {
			q.sent++
			q.ready = append(q.ready, &driver.Message{
				Body: m.Body, Metadata: m.Metadata,
				LoggableID: fmt.Sprint("fake-", q.sent), AsFunc: func(any) bool { return false },
			})
		}
	})
	return err
}

type fakeSubscription struct {
	noErrors
	q          *fakeQueue
	generation int
	closed     bool // guarded by q.mu
}

var errDied = errors.New("connection reset by broker")

func (s *fakeSubscription) ReceiveBatch(ctx context.Context, n int) ([]*driver.Message, error) {
	for {
		ms, arrived, err := s.receive(n)
		if len(ms) > 0 || err != nil {
			return ms, err
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *fakeSubscription) receive(n int) (ms []*driver.Message, arrived <-chan struct{}, err error) {
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
		q.leased[q.receipts] = lease{m, s}
		delivered := *m
		delivered.AckID = q.receipts
		ms = append(ms, &delivered)
	}
	q.ready = slices.Delete(q.ready, 0, n)
	return ms, q.arrived, nil
}

func (s *fakeSubscription) SendAcks(_ context.Context, ids []driver.AckID) error {
	return s.settle(ids, s.q.acks, false)
}

func (s *fakeSubscription) CanNack() bool { return true }

func (s *fakeSubscription) SendNacks(_ context.Context, ids []driver.AckID) error {
	return s.settle(ids, s.q.nacks, true)
}

func (s *fakeSubscription) settle(ids []driver.AckID, count map[string]int, again bool) (err error) {
	s.q.change(func() {
		for _, id := range ids {
			l, found := s.q.leased[id.(int)]
			if !found {
				err = fmt.Errorf("receipt %v is not valid", id)
				continue
			}
			delete(s.q.leased, id.(int))
			count[string(l.m.Body)]++
			if again {
				s.q.ready = append(s.q.ready, l.m)
			}
		}
	})
	return err
}

// Close gives what was fetched ahead back, as the end of its lease would.
func (s *fakeSubscription) Close() error {
	s.q.change(func() {
		s.closed = true
		s.q.release(s)
	})
	return nil
}
