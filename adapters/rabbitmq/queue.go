package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// consumer receives from a queue. Each message that it may hold has a consumer of the
// server with a prefetch of one.
type consumer struct {
	conn        *amqp.Connection
	ch          *amqp.Channel
	name        string
	concurrency int
	log         *slog.Logger

	in      chan amqp.Delivery
	broken  context.Context // ends with the channel
	breakIt context.CancelCauseFunc
	running sync.WaitGroup

	uncounted sync.Once // for the warning of a queue that does not count deliveries
	transient sync.Once // for the warning of messages that a restart may lose

	// calls is held during calls that the server answers: the client takes the next
	// answer for that of any of them.
	calls     sync.Mutex
	consumers map[string]struct{} // by tag
	last      int                 // tag of the newest consumer
	paused    chan struct{}       // closed by Pause; nil: there are no consumers

	mu   sync.Mutex
	held map[uint64]*handle // of messages that are not settled, by delivery tag
}

func newConsumer(conn *amqp.Connection, ch *amqp.Channel, name string, concurrency int, log *slog.Logger) *consumer {
	q := &consumer{
		conn: conn, ch: ch, name: name, concurrency: concurrency, log: log,
		in:        make(chan amqp.Delivery),
		consumers: make(map[string]struct{}),
		held:      make(map[uint64]*handle),
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
			// Messages in work stay leased, but no others come.
			q.breakIt(fmt.Errorf("the server ended our consumer: queue %s was deleted or moved", name))
			<-closed
			q.lose(amqp.ErrClosed)
		}
	})
	return q
}

// lose ends all leases with the channel: the server has put all unsettled messages back
// into the queue.
func (q *consumer) lose(why error) {
	q.breakIt(why)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, h := range q.held {
		h.lease.Lose(why)
	}
	clear(q.held)
}

// Receive takes messages that the server has delivered.
func (q *consumer) Receive(ctx context.Context, n int) (got []queue.Delivery, err error) {
	if err := q.consume(n); err != nil {
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

// consume starts consumers until n of them hold no message.
func (q *consumer) consume(n int) error {
	q.calls.Lock()
	defer q.calls.Unlock()
	defer bounded(q.conn)()
	if q.paused == nil {
		// It applies to the consumers that start after it.
		if err := q.ch.Qos(1, 0, false); err != nil {
			return fmt.Errorf("prefetch: %w", err)
		}
		q.paused = make(chan struct{})
	}
	for idle := q.idle(); idle < n; idle++ {
		if err := q.start(); err != nil {
			return err
		}
	}
	return nil
}

// idle returns how many consumers hold no message. The caller holds q.calls.
func (q *consumer) idle() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	idle := len(q.consumers)
	for _, h := range q.held {
		if _, there := q.consumers[h.consumer]; there {
			idle--
		}
	}
	return idle
}

// start starts a consumer. The caller holds q.calls.
func (q *consumer) start() error {
	q.last++
	tag := strconv.Itoa(q.last)
	deliveries, err := q.ch.Consume(q.name, tag, false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume %s: %w", q.name, err)
	}
	q.consumers[tag] = struct{}{}
	paused := q.paused
	q.running.Go(func() {
		for d := range deliveries { // until the consumer or the channel ends
			select {
			case q.in <- d:
			case <-paused:
				q.tolerate(d.Nack(false, true)) // Receive does not want it
			case <-q.broken.Done():
			}
		}
	})
	return nil
}

// cancel ends a consumer, unless Pause did. The message that it delivered stays leased.
// The caller holds q.calls.
func (q *consumer) cancel(tag string) error {
	if _, there := q.consumers[tag]; !there {
		return nil
	}
	delete(q.consumers, tag)
	defer bounded(q.conn)()
	return q.ch.Cancel(tag, false)
}

// Pause ends the consumers, to which the server would deliver more messages, and gives
// back messages that were not received. Messages in work stay leased.
func (q *consumer) Pause() {
	q.calls.Lock()
	defer q.calls.Unlock()
	if q.paused == nil {
		return
	}
	for tag := range q.consumers {
		q.tolerate(q.cancel(tag))
	}
	// Only now: a consumer that has not ended would get the messages again.
	close(q.paused)
	q.paused = nil
}

// tolerate logs an error that only delays a redelivery until the channel ends.
func (q *consumer) tolerate(err error) {
	if err != nil && q.broken.Err() == nil {
		q.log.Debug("message was not given back and will be redelivered when the channel ends", "queue", q.name, "err", err)
	}
}

func (q *consumer) delivery(d amqp.Delivery) queue.Delivery {
	headers := make(map[string]string, len(d.Headers))
	for k, v := range d.Headers {
		if text, ok := v.(string); ok && !strings.HasPrefix(strings.ToLower(k), "x-") { // reserved for RabbitMQ
			headers[k] = text
		}
	}
	// A queue that gives up a message says why. Where a worker has done so, its own reason says more.
	if why, ok := d.Headers["x-first-death-reason"].(string); ok && headers[pipeline.MetadataReason] == "" {
		headers[pipeline.MetadataReason] = "RabbitMQ: " + why
	}
	if !counts(d) {
		q.uncounted.Do(func() {
			q.log.Warn("the queue does not count deliveries: a message that always fails is redelivered without limit; a quorum queue counts (x-queue-type=quorum)", "queue", q.name)
		})
	}
	if d.DeliveryMode != amqp.Persistent {
		q.transient.Do(func() {
			q.log.Warn("messages come marked as transient: a classic queue loses them when the server stops; let the sender mark them as persistent, or use a quorum queue, which keeps them", "queue", q.name)
		})
	}
	h := &handle{q: q, tag: d.DeliveryTag, consumer: d.ConsumerTag}
	h.lease = queue.Hold(h, attempt(d), 0)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held[d.DeliveryTag] = h
	if q.ch.IsClosed() { // lose may have run already
		h.lease.Lose(amqp.ErrClosed)
	}
	return queue.Delivery{Message: queue.Received(d.MessageId, d.Body, headers), Lease: h.lease, Sent: d.Timestamp}
}

// counts reports whether the queue may count deliveries: a message that was never
// redelivered does not tell. With RabbitMQ 4 a message that was given back may have only
// the second header.
func counts(d amqp.Delivery) bool {
	_, failed := d.Headers["x-delivery-count"]
	_, acquired := d.Headers["x-acquired-count"]
	return !d.Redelivered || failed || acquired
}

// attempt returns the count of a quorum queue. RabbitMQ 4 has two counts: of failed
// deliveries, and of all. A classic queue only says whether it has delivered the message
// before.
func attempt(d amqp.Delivery) int {
	if !d.Redelivered {
		return 1 // a count would be of another queue, or of the sender
	}
	before := 1
	for _, header := range []string{"x-delivery-count", "x-acquired-count"} {
		switch n := d.Headers[header].(type) {
		case int64:
			before = max(before, int(n))
		case int32:
			before = max(before, int(n))
		}
	}
	return before + 1
}

// Close ends the connection. The server puts unsettled messages back into the queue.
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
	consumer string // tag
	lease    *queue.Lease
}

// Extend does nothing: the connection holds the message.
func (h *handle) Extend(context.Context, time.Duration) error { return nil }

func (h *handle) Ack(context.Context) error {
	h.forget()
	return lost(h.q.ch.Ack(h.tag, false))
}

// Nack gives the message back at once: RabbitMQ has no delay. A message that has waited
// for its delay has no slot. Its consumer ends before, as it would get another message.
func (h *handle) Nack(context.Context, time.Duration) error {
	h.forget()
	if err := h.endSurplus(); err != nil {
		return lost(err)
	}
	return lost(h.q.ch.Nack(h.tag, false, true))
}

// endSurplus ends the message's consumer if there are more consumers than slots. If that
// is one too many, the next Receive starts another.
func (h *handle) endSurplus() error {
	h.q.calls.Lock()
	defer h.q.calls.Unlock()
	if len(h.q.consumers) <= h.q.concurrency {
		return nil
	}
	return h.q.cancel(h.consumer)
}

// forget leaves the end of the lease to the caller, who settles the message.
func (h *handle) forget() {
	h.q.mu.Lock()
	defer h.q.mu.Unlock()
	delete(h.q.held, h.tag)
}

// lost marks the error of a channel that has ended: the server has put the message back
// into the queue.
func lost(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", pipeline.ErrLeaseLost, err)
	}
	return nil
}
