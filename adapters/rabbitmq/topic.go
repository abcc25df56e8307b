package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

var (
	errUnroutable = errors.New("no queue takes the message")
	errRefused    = errors.New("the server refused the message; perhaps its queue is full")
)

// sendPause is the wait before another attempt to send.
const sendPause = 100 * time.Millisecond

// topic sends to a queue or an exchange. It sends one message at a time, so that a
// returned message is known to be the one just sent.
type topic struct {
	address address
	turn    chan struct{} // full during a Send

	conn     *amqp.Connection // for the one that has the turn
	ch       *amqp.Channel
	returned chan amqp.Return
	closed   bool
}

func (t *topic) connect(ctx context.Context) error {
	conn, ch, err := connect(ctx, t.address)
	if err != nil {
		return err
	}
	defer bounded(conn)()
	if err := ch.Confirm(false); err != nil {
		conn.Close()
		return fmt.Errorf("confirms: %w", err)
	}
	t.conn, t.ch, t.returned = conn, ch, ch.NotifyReturn(make(chan amqp.Return, 1))
	return nil
}

// Send returns when the server has stored the message. It reconnects after a lost
// connection and repeats the message, so that the server may store it twice.
func (t *topic) Send(ctx context.Context, m *message.Message) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		err := t.send(ctx, m)
		if err == nil || errors.Is(err, errUnroutable) || errors.Is(err, errRefused) || t.closed || !backoff.Sleep(ctx, sendPause) {
			return err
		}
	}
}

func (t *topic) send(ctx context.Context, m *message.Message) error {
	if t.closed {
		return queue.ErrClosed
	}
	if t.ch.IsClosed() {
		t.conn.Close()
		if err := t.connect(ctx); err != nil {
			return err
		}
	}
	exchange, key := t.address.exchange, t.address.key
	if t.address.queue != "" {
		exchange, key = "", t.address.queue
	}
	confirm, err := t.ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, true, false, publishing(m))
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	// A lost connection reads as a refusal.
	acked, err := confirm.WaitContext(ctx)
	if err != nil {
		t.conn.CloseDeadline(time.Now()) // a late return would look like one of the next message
		return fmt.Errorf("publish: %w", err)
	}
	select {
	case _, ok := <-t.returned: // returns come before the confirmation
		if ok {
			return errUnroutable
		}
	default:
	}
	switch {
	case acked:
		return nil
	case t.ch.IsClosed():
		return amqp.ErrClosed
	default:
		return errRefused
	}
}

func (t *topic) Close() error {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	t.closed = true
	if err := t.conn.Close(); err != nil && !errors.Is(err, amqp.ErrClosed) {
		return err
	}
	return nil
}

// publishing returns the AMQP form of a message. Header names that begin with x- are
// reserved for RabbitMQ.
func publishing(m *message.Message) amqp.Publishing {
	p := amqp.Publishing{DeliveryMode: amqp.Persistent, Timestamp: time.Now(), Body: m.Payload, Headers: make(amqp.Table)}
	id := m.UUID
	if len(id) <= 255 && id == strings.ToValidUTF8(id, "") {
		p.MessageId, id = id, ""
	}
	for k, v := range queue.Fold(id, m.Metadata, func(name, _ string) bool {
		return len(name) <= 128 && !strings.HasPrefix(strings.ToLower(name), "x-")
	}) {
		p.Headers[k] = v
	}
	return p
}
