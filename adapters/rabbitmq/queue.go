package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// waitingPerSlot is how many nacked messages wait here for their redelivery, for
// each that may be in flight.
const waitingPerSlot = 16

// consumer is a queue and our consumers of it.
type consumer struct {
	conn        *amqp.Connection
	ch          *amqp.Channel
	name        string
	concurrency int
	log         *slog.Logger

	in      chan amqp.Delivery
	waiting chan struct{}   // one for each nacked message that waits
	broken  context.Context // ends when the channel does
	breakIt context.CancelCauseFunc
	running sync.WaitGroup

	uncounted sync.Once // warns of it

	// calls is held for calls that the server answers, because the client takes
	// the next answer for that of any of them.
	calls     sync.Mutex
	consumers map[string]struct{} // by tag
	last      int                 // the last one's tag
	paused    chan struct{}       // closed by Pause; nil: there are no consumers

	mu   sync.Mutex
	held map[uint64]*queue.Held
}

func newConsumer(conn *amqp.Connection, ch *amqp.Channel, name string, concurrency int, log *slog.Logger) *consumer {
	q := &consumer{
		conn: conn, ch: ch, name: name, concurrency: concurrency, log: log,
		in:        make(chan amqp.Delivery),
		waiting:   make(chan struct{}, concurrency*waitingPerSlot),
		consumers: make(map[string]struct{}),
		held:      make(map[uint64]*queue.Held),
	}
	q.broken, q.breakIt = context.WithCancelCause(context.Background())
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	cancelled := ch.NotifyCancel(make(chan string, 1))
	q.running.Go(func() {
		select {
		case fault, ok := <-closed:
			if ok {
				q.lose(fault)
			} else {
				q.lose(amqp.ErrClosed)
			}
		case <-cancelled:
			// What is in work stays ours, but nothing comes any more.
			q.breakIt(fmt.Errorf("the server ended our consumer: queue %s was deleted or moved", name))
			<-closed
			q.lose(amqp.ErrClosed)
		}
	})
	return q
}

// lose ends everything with the channel: all unsettled messages are back in the
// queue.
func (q *consumer) lose(why error) {
	q.breakIt(why)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.held {
		l.Lose(why)
	}
	clear(q.held)
}

// Receive takes what the server has delivered.
func (q *consumer) Receive(ctx context.Context, n int) (got []queue.Delivery, err error) {
	if err := q.begin(); err != nil {
		return nil, err
	}
	select {
	case d := <-q.in:
		got = append(got, q.delivery(d))
	case <-q.broken.Done():
		return nil, context.Cause(q.broken)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for len(got) < n {
		select {
		case d := <-q.in:
			got = append(got, q.delivery(d))
		default:
			return got, nil
		}
	}
	return got, nil
}

// begin starts a consumer for each message that may be in flight, unless they are
// there.
func (q *consumer) begin() error {
	q.calls.Lock()
	defer q.calls.Unlock()
	if q.paused != nil {
		return nil
	}
	defer bounded(q.conn)()
	// It holds for the consumers that come after it.
	if err := q.ch.Qos(1, 0, false); err != nil {
		return fmt.Errorf("prefetch: %w", err)
	}
	q.paused = make(chan struct{})
	for range q.concurrency {
		if err := q.consume(); err != nil {
			return err
		}
	}
	return nil
}

// consume adds a consumer for one message at a time. The caller holds q.calls.
func (q *consumer) consume() error {
	q.last++
	tag := strconv.Itoa(q.last)
	deliveries, err := q.ch.Consume(q.name, tag, false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume %s: %w", q.name, err)
	}
	q.consumers[tag] = struct{}{}
	paused := q.paused
	q.running.Go(func() {
		for d := range deliveries { // until it is cancelled or the channel ends
			select {
			case q.in <- d:
			case <-paused:
				q.tolerate(d.Nack(false, true))
			case <-q.broken.Done():
			}
		}
	})
	return nil
}

// cancel ends a consumer, unless Pause did. What it was delivered stays ours. The
// caller holds q.calls.
func (q *consumer) cancel(tag string) error {
	if _, there := q.consumers[tag]; !there {
		return nil
	}
	delete(q.consumers, tag)
	defer bounded(q.conn)()
	return q.ch.Cancel(tag, false)
}

// Pause ends the consumers, which the server would go on delivering to, and gives
// back what they had and nobody took. What is in work stays ours.
func (q *consumer) Pause() {
	q.calls.Lock()
	defer q.calls.Unlock()
	if q.paused == nil {
		return
	}
	for tag := range q.consumers {
		q.tolerate(q.cancel(tag))
	}
	// Not before they are gone, else they would get it again.
	close(q.paused)
	q.paused = nil
}

// tolerate notes why something is not given back before the channel ends.
func (q *consumer) tolerate(err error) {
	if err != nil && q.broken.Err() == nil {
		q.log.Debug("message was not given back and comes when the channel ends", "queue", q.name, "err", err)
	}
}

func (q *consumer) delivery(d amqp.Delivery) queue.Delivery {
	headers := make(map[string]string, len(d.Headers))
	for k, v := range d.Headers {
		if text, ok := v.(string); ok {
			headers[k] = text
		}
	}
	id, metadata := queue.Unfold(headers)
	if id == "" {
		id = d.MessageId
	}
	m := message.NewMessage(id, d.Body)
	m.Metadata = metadata
	if !counts(d) {
		q.uncounted.Do(func() {
			q.log.Warn("the queue does not count deliveries: what always fails comes again for ever; a quorum queue counts (x-queue-type=quorum)", "queue", q.name)
		})
	}
	h := &handle{q: q, tag: d.DeliveryTag, consumer: d.ConsumerTag}
	lease := queue.Hold(h, attempt(d), 0)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held[d.DeliveryTag] = lease
	if q.ch.IsClosed() { // perhaps nobody ends it any more
		lease.Lose(amqp.ErrClosed)
	}
	return queue.Delivery{Message: m, Lease: lease}
}

// counts reports whether the queue may count deliveries. A new message tells
// nothing; with RabbitMQ 4 one that was given back may have the second header only.
func counts(d amqp.Delivery) bool {
	_, failed := d.Headers["x-delivery-count"]
	_, acquired := d.Headers["x-acquired-count"]
	return !d.Redelivered || failed || acquired
}

// attempt is what a quorum queue counts; a classic one says only whether it was
// delivered before.
func attempt(d amqp.Delivery) int {
	switch n := d.Headers["x-delivery-count"].(type) {
	case int64:
		return int(n) + 1
	case int32:
		return int(n) + 1
	}
	if d.Redelivered {
		return 2
	}
	return 1
}

// Close ends the connection; what waits for its redelivery is back in the queue.
func (q *consumer) Close() error {
	err := q.conn.CloseDeadline(time.Now().Add(callTimeout))
	q.running.Wait()
	if errors.Is(err, amqp.ErrClosed) {
		return nil
	}
	return err
}

// handle settles one message.
type handle struct {
	q        *consumer
	tag      uint64
	consumer string
}

func (h *handle) Extend(context.Context, time.Duration) error { return nil }

func (h *handle) Ack(context.Context) error {
	h.forget()
	return lost(h.q.ch.Ack(h.tag, false))
}

// Nack gives the message back. It keeps it here if that is to be later, and has
// another consumer meanwhile.
func (h *handle) Nack(ctx context.Context, delay time.Duration) error {
	if delay <= 0 {
		h.forget()
		return lost(h.q.ch.Nack(h.tag, false, true))
	}
	select {
	case h.q.waiting <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err() // too many wait: the intake slows down
	}
	h.forget()
	if err := h.q.replace(h.consumer); err != nil {
		<-h.q.waiting
		return lost(err)
	}
	h.q.running.Go(func() {
		defer func() { <-h.q.waiting }()
		wait := time.NewTimer(delay)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-h.q.broken.Done():
			return
		}
		// Its consumer goes first, else that would get another message.
		h.q.calls.Lock()
		err := h.q.cancel(h.consumer)
		h.q.calls.Unlock()
		h.q.tolerate(errors.Join(err, h.q.ch.Nack(h.tag, false, true)))
	})
	return nil
}

// replace adds a consumer in the place of one whose message waits, unless Pause
// ended that.
func (q *consumer) replace(tag string) error {
	q.calls.Lock()
	defer q.calls.Unlock()
	if _, there := q.consumers[tag]; !there {
		return nil
	}
	defer bounded(q.conn)()
	return q.consume()
}

// forget leaves the end of the lease to whoever settles it.
func (h *handle) forget() {
	h.q.mu.Lock()
	defer h.q.mu.Unlock()
	delete(h.q.held, h.tag)
}

// lost says that a message cannot be settled through a channel that has ended:
// it is back in the queue.
func lost(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", pipeline.ErrLeaseLost, err)
	}
	return nil
}
