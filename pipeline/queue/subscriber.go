package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Subscriber receives messages; a Watermill topic is the URL of a queue. Safe
// for concurrent use.
type Subscriber struct {
	driver Driver
	config Config
	close  func() error // once

	stopping, overdue context.Context // end with Close, and CloseTimeout after it
	stop, expire      context.CancelFunc
	running           sync.WaitGroup // one for each Subscribe

	mu     sync.Mutex
	queues map[string]*queue // by URL
}

// queue is what one URL names.
type queue struct {
	url   string
	slots chan struct{} // one element for each message in flight
	turn  chan struct{} // full while somebody receives

	receivers atomic.Int64 // that want more

	live     *opened        // whoever has the turn may replace it
	fault    atomic.Value   // an error in a fault: why nothing can be received now
	retiring sync.WaitGroup // one for each that died and has messages in flight
}

// fault is an error, or that there is none.
type fault struct{ err error }

// opened is a driver's queue and its messages in flight.
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
	s := &Subscriber{driver: d, config: c.withDefaults(), queues: make(map[string]*queue)}
	s.close = sync.OnceValue(s.shutdown)
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.overdue, s.expire = context.WithCancel(context.Background())
	return s, nil
}

// SubscribeInitialize opens the queue before anybody subscribes, so that a wrong
// URL shows.
func (s *Subscriber) SubscribeInitialize(url string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.queue(s.stopping, url)
	return err
}

// queue returns the open queue of a URL. The caller holds s.mu.
func (s *Subscriber) queue(ctx context.Context, url string) (*queue, error) {
	if s.stopping.Err() != nil {
		return nil, fmt.Errorf("subscribe to %s: subscriber %w", Redacted(url), ErrClosed)
	}
	if q := s.queues[url]; q != nil {
		return q, nil
	}
	live, err := s.driver.OpenQueue(ctx, url, s.config.Concurrency)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", Redacted(url), Redact(err, url))
	}
	q := &queue{
		url: url, slots: make(chan struct{}, s.config.Concurrency),
		turn: make(chan struct{}, 1), live: &opened{Queue: live},
	}
	s.queues[url] = q
	return q, nil
}

// Subscribe delivers messages until ctx ends or the subscriber closes; then
// intake stops at once, and the channel is closed when every message delivered
// through it is acked or nacked. The contexts of messages do not end with ctx;
// each ends when its message is settled, or its lease is lost. Several
// subscriptions to one URL share its messages.
func (s *Subscriber) Subscribe(ctx context.Context, url string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(s.stopping, cancel)
	q, err := s.queue(ctx, url)
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
		for failures := 0; ; {
			from, deliveries, err := s.receive(ctx, q, failures)
			for _, d := range deliveries {
				delivered.Go(func() {
					defer from.inFlight.Done()
					defer func() { <-q.slots }()
					s.deliver(ctx, q, d, out)
				})
			}
			if ctx.Err() != nil {
				break
			}
			if failures++; err == nil {
				failures = 0
			}
		}
		q.leave()
		delivered.Wait()
		close(out)
	})
	return out, nil
}

// leave pauses the queue if nobody wants more of it. Work goes on meanwhile, and
// can take long.
func (q *queue) leave() {
	if q.receivers.Add(-1) > 0 {
		return
	}
	q.turn <- struct{}{}
	defer func() { <-q.turn }()
	if p, ok := q.live.Queue.(Pauser); ok && q.receivers.Load() == 0 {
		p.Pause()
	}
}

// Fault returns why nothing can be received at the moment from one of the queues,
// which is tried again and again; nil if nobody has noticed anything. It asks
// nobody.
func (s *Subscriber) Fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		if f, _ := q.fault.Load().(fault); f.err != nil {
			return fmt.Errorf("receive from %s: %w", Redacted(q.url), f.err)
		}
	}
	return nil
}

// Close stops intake at once, waits until every delivered message is acked or
// nacked (see Config.CloseTimeout) and the broker knows, gives those that wait
// for their redelivery back, and closes the queues. Another Close waits for the
// first and returns the same.
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
				errs = append(errs, fmt.Errorf("close %s: %w", Redacted(q.url), Redact(err, q.url)))
			}
		})
	}
	closing.Wait()
	return errors.Join(errs...)
}

// receive waits for its turn and for a free slot, and then for as many messages
// as there are free slots. After an error, of which failures came in a row
// before, the queue is another; messages that come with one are handed on first.
func (s *Subscriber) receive(ctx context.Context, q *queue, failures int) (*opened, []Delivery, error) {
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	live := q.live
	if err := live.broken; err != nil {
		s.reopenAfter(ctx, q, err, failures+1)
		return live, nil, err
	}
	slots := 0
	select {
	case q.slots <- struct{}{}:
		slots++
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
fill:
	for slots < cap(q.slots) {
		select {
		case q.slots <- struct{}{}:
			slots++
		default:
			break fill
		}
	}
	deliveries, err := live.Receive(ctx, slots)
	live.inFlight.Add(len(deliveries))
	for range slots - len(deliveries) {
		<-q.slots
	}
	switch {
	case err != nil && len(deliveries) > 0:
		live.broken, err = err, nil
	case err != nil:
		s.reopenAfter(ctx, q, err, failures+1)
	}
	return live, deliveries, err
}

// reopenAfter replaces a queue because of an error, unless that is the end of ctx.
func (s *Subscriber) reopenAfter(ctx context.Context, q *queue, err error, failures int) {
	if ctx.Err() != nil {
		return
	}
	q.fault.Store(fault{Redact(err, q.url)})
	s.config.Log.Warn("queue is broken, opening it anew", "queue", Redacted(q.url), "err", Redact(err, q.url), "attempt", failures)
	s.reopen(ctx, q, failures)
}

// reopen tries until there is a live queue or ctx ends. The dead one is closed
// when the last of its messages is settled: their acks go through it.
func (s *Subscriber) reopen(ctx context.Context, q *queue, failures int) {
	for sleep(ctx, s.config.ReopenDelay(failures)) {
		fresh, err := s.driver.OpenQueue(ctx, q.url, s.config.Concurrency)
		if err == nil {
			q.fault.Store(fault{})
			dead := q.live
			q.live = &opened{Queue: fresh}
			q.retiring.Go(func() {
				dead.inFlight.Wait()
				if err := dead.Close(); err != nil {
					s.config.Log.Debug("broken queue closed with an error", "queue", Redacted(q.url), "err", Redact(err, q.url))
				}
			})
			return
		}
		if ctx.Err() != nil {
			return
		}
		failures++
		q.fault.Store(fault{Redact(err, q.url)})
		s.config.Log.Warn("cannot open the queue", "queue", Redacted(q.url), "err", Redact(err, q.url), "attempt", failures)
	}
}
