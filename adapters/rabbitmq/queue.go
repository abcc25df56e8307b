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
	"github.com/bucketsum/bucketsum/pipeline/broker"
)

// waitingPerSlot is how many nacked messages wait here for their redelivery, for
// each that may be in flight.
const waitingPerSlot = 16

// queue is a queue and our consumers of it.
type queue struct {
	conn        *amqp.Connection
	ch          *amqp.Channel
	name        string
	concurrency int
	log         *slog.Logger

	in        chan amqp.Delivery
	waiting   chan struct{}   // one for each nacked message that waits
	broken    context.Context // ends when the channel does
	breakIt   context.CancelCauseFunc
	consuming bool
	running   sync.WaitGroup

	mu        sync.Mutex
	consumers int // that there ever were
	held      map[uint64]*broker.Held
}

func newQueue(conn *amqp.Connection, ch *amqp.Channel, name string, concurrency int, log *slog.Logger) *queue {
	q := &queue{
		conn: conn, ch: ch, name: name, concurrency: concurrency, log: log,
		in:      make(chan amqp.Delivery),
		waiting: make(chan struct{}, concurrency*waitingPerSlot),
		held:    make(map[uint64]*broker.Held),
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
func (q *queue) lose(why error) {
	q.breakIt(why)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.held {
		l.Lose(why)
	}
	clear(q.held)
}

// Receive takes what the server has delivered.
func (q *queue) Receive(ctx context.Context, n int) (got []broker.Delivery, err error) {
	if !q.consuming {
		if err := q.begin(); err != nil {
			return nil, err
		}
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

// begin starts a consumer for each message that may be in flight.
func (q *queue) begin() error {
	defer bounded(q.conn)()
	// It holds for the consumers that come after it.
	if err := q.ch.Qos(1, 0, false); err != nil {
		return fmt.Errorf("prefetch: %w", err)
	}
	for range q.concurrency {
		if err := q.consume(); err != nil {
			return err
		}
	}
	q.consuming = true
	return nil
}

// consume adds a consumer for one message at a time.
func (q *queue) consume() error {
	q.mu.Lock()
	q.consumers++
	tag := strconv.Itoa(q.consumers)
	q.mu.Unlock()
	deliveries, err := q.ch.Consume(q.name, tag, false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume %s: %w", q.name, err)
	}
	q.running.Go(func() {
		for d := range deliveries { // until it is cancelled or the channel ends
			select {
			case q.in <- d:
			case <-q.broken.Done():
			}
		}
	})
	return nil
}

func (q *queue) delivery(d amqp.Delivery) broker.Delivery {
	headers := make(map[string]string, len(d.Headers))
	for k, v := range d.Headers {
		if text, ok := v.(string); ok {
			headers[k] = text
		}
	}
	id, metadata := broker.Unfold(headers)
	if id == "" {
		id = d.MessageId
	}
	m := message.NewMessage(id, d.Body)
	m.Metadata = metadata
	h := &handle{q: q, tag: d.DeliveryTag, consumer: d.ConsumerTag}
	lease := broker.Hold(h, attempt(d), 0)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held[d.DeliveryTag] = lease
	if q.ch.IsClosed() { // perhaps nobody ends it any more
		lease.Lose(amqp.ErrClosed)
	}
	return broker.Delivery{Message: m, Lease: lease}
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
func (q *queue) Close() error {
	err := q.conn.CloseDeadline(time.Now().Add(callTimeout))
	q.running.Wait()
	if errors.Is(err, amqp.ErrClosed) {
		return nil
	}
	return err
}

// handle settles one message.
type handle struct {
	q        *queue
	tag      uint64
	consumer string
}

func (h *handle) Extend(context.Context) error { return nil }

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
	defer bounded(h.q.conn)()
	if err := h.q.consume(); err != nil {
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
		defer bounded(h.q.conn)()
		err := errors.Join(h.q.ch.Cancel(h.consumer, false), h.q.ch.Nack(h.tag, false, true))
		if err != nil && h.q.broken.Err() == nil {
			h.q.log.Debug("message was not given back and comes when the channel ends", "queue", h.q.name, "err", err)
		}
	})
	return nil
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
