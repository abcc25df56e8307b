package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/unreached"
)

// waitingPerSlot is how many nacked messages wait for their redelivery outside of
// a slot, for each that may be in flight. Their leases run and their payloads are
// in memory.
const waitingPerSlot = 16

// Subscriber receives messages; a Watermill topic is the URL of a queue. Safe
// for concurrent use.
type Subscriber struct {
	driver Driver
	traits Traits
	config Config
	close  func() error // once

	stopping, overdue context.Context // end with Close, and CloseTimeout after it
	stop, expire      context.CancelFunc
	running           sync.WaitGroup // one for each Subscribe

	mu     sync.Mutex
	queues map[string]*source // by URL
}

// source is the queue that one URL names.
type source struct {
	url     string
	slots   chan struct{} // one element for each message in flight
	waiting chan struct{} // one for each that waits for its redelivery outside of a slot
	turn    chan struct{} // full while a receiver receives

	limit *int // see Limiter; nil: the driver cannot tell

	receivers atomic.Int64 // that want more messages

	live     *opened // the receiver that has the turn may replace it
	outage   outage
	retiring sync.WaitGroup // one for each broken queue with messages in flight
}

// opened is a driver's queue and its messages in flight, which are settled
// through it.
type opened struct {
	Queue
	inFlight sync.WaitGroup
	broken   error // that came with its last messages
}

// NewSubscriber returns a subscriber to the queues of a driver.
func NewSubscriber(d Driver, c Config) (*Subscriber, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("subscriber: %w", err)
	}
	traits := d.Traits()
	s := &Subscriber{driver: d, traits: traits, config: c.withDefaults(traits), queues: make(map[string]*source)}
	s.close = sync.OnceValue(s.shutdown)
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.overdue, s.expire = context.WithCancel(context.Background())
	return s, nil
}

// SubscribeInitialize opens the queue before the first Subscribe. A wrong URL
// shows, and a queue that keeps messages only for open subscriptions loses none
// that are sent in between.
func (s *Subscriber) SubscribeInitialize(url string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.open(s.stopping, url)
	return err
}

// open returns the open queue of a URL. The caller holds s.mu.
func (s *Subscriber) open(ctx context.Context, url string) (*source, error) {
	if s.stopping.Err() != nil {
		return nil, fmt.Errorf("subscribe to %s: subscriber %w", redact.URL(url), ErrClosed)
	}
	if q := s.queues[url]; q != nil {
		return q, nil
	}
	live, err := s.driver.OpenQueue(ctx, url, s.config.Concurrency)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", redact.URL(url), redact.Error(unreached.Explain(err), url))
	}
	q := &source{
		url:     url,
		slots:   make(chan struct{}, s.config.Concurrency),
		waiting: make(chan struct{}, s.config.Concurrency*waitingPerSlot),
		turn:    make(chan struct{}, 1),
		live:    &opened{Queue: live},
		outage:  outage{url: url, log: s.config.Log},
	}
	if l, ok := live.(Limiter); ok {
		limit := l.DeliveryLimit()
		q.limit = &limit
	}
	s.queues[url] = q
	return q, nil
}

// Subscribe delivers messages until ctx ends or the subscriber closes. Then
// intake stops at once, and the channel is closed when every message delivered
// through it is acked or nacked. The contexts of messages do not end with ctx:
// each ends when its message is settled, or its lease is lost. Several
// subscriptions to one URL share its messages.
func (s *Subscriber) Subscribe(ctx context.Context, url string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(s.stopping, cancel)
	q, err := s.open(ctx, url)
	if err != nil {
		unhook()
		cancel()
		return nil, err
	}
	out := make(chan *message.Message)
	q.receivers.Add(1)
	s.running.Go(func() {
		defer cancel()
		defer unhook()
		var delivered sync.WaitGroup
		left := make(chan struct{})
		for ctx.Err() == nil {
			from, deliveries := s.receive(ctx, q)
			for _, d := range deliveries {
				delivered.Go(func() {
					defer from.inFlight.Done()
					s.deliver(ctx, left, q, d, out)
				})
			}
		}
		q.leave()
		close(left)
		delivered.Wait()
		close(out)
	})
	return out, nil
}

// receive waits for its turn and for a free slot, and then for as many messages
// as there are free slots. After an error the queue is another one.
func (s *Subscriber) receive(ctx context.Context, q *source) (*opened, []Delivery) {
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return nil, nil
	}
	live := q.live
	if live.broken != nil {
		s.reopen(ctx, q, live.broken)
		return nil, nil
	}
	slots := q.takeSlots(ctx)
	if slots == 0 {
		return nil, nil
	}
	healthy := time.AfterFunc(healthyAfter, q.outage.recovered)
	deliveries, err := live.Receive(ctx, slots)
	healthy.Stop()
	live.inFlight.Add(len(deliveries))
	for range slots - len(deliveries) {
		<-q.slots
	}
	switch {
	case len(deliveries) > 0:
		q.outage.recovered()
		live.broken = err
	case err != nil && ctx.Err() == nil:
		s.reopen(ctx, q, err)
	}
	return live, deliveries
}

// takeSlots waits for a free slot and takes all that are free. It returns how
// many; 0 if ctx ends first.
func (q *source) takeSlots(ctx context.Context) (n int) {
	select {
	case q.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	runtime.Gosched() // messages that were settled by one call free their slots together
	for n = 1; n < cap(q.slots); n++ {
		select {
		case q.slots <- struct{}{}:
		default:
			return n
		}
	}
	return n
}

// reopen replaces a queue that failed. It tries until there is a live one or ctx
// ends. The broken queue is closed when the last of its messages is settled.
func (s *Subscriber) reopen(ctx context.Context, q *source, err error) {
	for backoff.Sleep(ctx, s.config.ReopenDelay(q.outage.failed(err))) {
		var fresh Queue
		fresh, err = s.driver.OpenQueue(ctx, q.url, s.config.Concurrency)
		if err == nil {
			q.outage.reopened()
			broken := q.live
			q.live = &opened{Queue: fresh}
			q.retiring.Go(func() {
				broken.inFlight.Wait()
				if err := broken.Close(); err != nil {
					s.config.Log.Debug("broken queue closed with an error", "queue", redact.URL(q.url), "err", redact.Error(err, q.url))
				}
			})
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// leave pauses the queue when its last receiver wants no more messages. Messages
// in flight may take long after that.
func (q *source) leave() {
	if q.receivers.Add(-1) > 0 {
		return
	}
	q.turn <- struct{}{}
	defer func() { <-q.turn }()
	if p, ok := q.live.Queue.(Pauser); ok && q.receivers.Load() == 0 {
		p.Pause()
	}
}

// DeliveryLimit returns after how many deliveries the queue of a URL, when it was first
// opened, gave up a message; 0: never. known is false if the driver cannot tell.
func (s *Subscriber) DeliveryLimit(url string) (limit int, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[url]; q != nil && q.limit != nil {
		return *q.limit, true
	}
	return 0, false
}

// Fault returns why the last attempt to receive from one of the queues, or to
// open it again, failed; nil if no fault is known. It makes no call.
func (s *Subscriber) Fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		if err := q.outage.current(); err != nil {
			return fmt.Errorf("receive from %s: %w", redact.URL(q.url), err)
		}
	}
	return nil
}

// Close stops intake at once, waits until every delivered message is acked or
// nacked (see Config.CloseTimeout) and the queue knows, gives back the messages
// that wait for their redelivery, and closes the queues. Another Close waits for
// the first and returns the same.
func (s *Subscriber) Close() error { return s.close() }

func (s *Subscriber) shutdown() error {
	s.stop()    // ends a hanging open, which holds s.mu
	s.mu.Lock() // a Subscribe that came before is counted in running
	queues := s.queues
	s.mu.Unlock()

	timer := time.AfterFunc(s.config.CloseTimeout, s.expire)
	defer timer.Stop()
	s.running.Wait()
	s.expire()
	var (
		closing sync.WaitGroup
		mu      sync.Mutex
		errs    []error
	)
	for _, q := range queues {
		closing.Go(func() {
			err := q.live.Close()
			q.retiring.Wait()
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("close %s: %w", redact.URL(q.url), redact.Error(err, q.url)))
			}
		})
	}
	closing.Wait()
	return errors.Join(errs...)
}
