package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// pullFor is how long one request waits for a message.
	pullFor = 30 * time.Second
	// idleBeat is how often the server says that it still knows of a request.
	idleBeat = 5 * time.Second
	// drainTime is what a server gets to say what it has sent when a request is
	// given up.
	drainTime = time.Second
)

// consumer is a durable consumer. It pulls by the protocol itself, because the
// client's pulls lose what is on its way when they are cancelled: it would come
// again after AckWait only.
type consumer struct {
	nc      *nats.Conn
	next    string          // the subject of pull requests
	broken  context.Context // ends when the connection is lost
	lost    context.CancelCauseFunc
	ackWait time.Duration
	log     *slog.Logger

	sub *nats.Subscription // of the answers; nil: none yet
	in  chan *nats.Msg
}

// pull is a request for messages, as the protocol has it.
type pull struct {
	Batch   int           `json:"batch"`
	NoWait  bool          `json:"no_wait,omitempty"`
	Expires time.Duration `json:"expires,omitempty"`
	Beat    time.Duration `json:"idle_heartbeat,omitempty"`
}

// Receive takes what is there, or waits for one message: the server would go on
// to fill a larger request after we have returned.
func (q *consumer) Receive(ctx context.Context, n int) ([]queue.Delivery, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(q.broken, func() { cancel(context.Cause(q.broken)) })()
	if n > 1 {
		if got, err := q.pull(ctx, pull{Batch: n, NoWait: true}); len(got) > 0 || err != nil {
			return got, err
		}
	}
	for {
		if got, err := q.pull(ctx, pull{Batch: 1, Expires: pullFor, Beat: idleBeat}); len(got) > 0 || err != nil {
			return got, err
		}
	}
}

// pull makes one request and returns what it brought until the server has
// nothing more for it. Without an error it may have brought nothing.
func (q *consumer) pull(ctx context.Context, p pull) (got []queue.Delivery, err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if q.sub == nil {
		q.in = make(chan *nats.Msg, 64+p.Batch)
		if q.sub, err = q.nc.ChanSubscribe(q.nc.NewInbox(), q.in); err != nil {
			return nil, fmt.Errorf("subscribe: %w", err)
		}
	}
	request, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	if err := q.nc.PublishRequest(q.next, q.sub.Subject, request); err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	silence := time.NewTimer(callTimeout)
	defer silence.Stop()
	for len(got) < p.Batch {
		select {
		case m := <-q.in:
			silence.Reset(callTimeout)
			if m.Reply != "" { // else it is the server's
				d, err := q.delivery(m)
				if err != nil {
					return got, err
				}
				got = append(got, d)
				continue
			}
			if end, err := ended(m); end {
				return got, err
			}
		case <-silence.C:
			return append(got, q.giveUp()...), errors.New("the server does not answer")
		case <-ctx.Done():
			return append(got, q.giveUp()...), context.Cause(ctx)
		}
	}
	return got, nil
}

// giveUp ends a request and returns what the server had sent before it knew.
func (q *consumer) giveUp() (got []queue.Delivery) {
	sub := q.sub
	q.sub = nil
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if sub.Drain() != nil || q.nc.FlushWithContext(ctx) != nil {
		return nil // there is no connection: the server redelivers
	}
	for {
		select {
		case m := <-q.in:
			if d, err := q.delivery(m); m.Reply != "" && err == nil {
				got = append(got, d)
			}
		default:
			return got
		}
	}
}

// ended reports whether a message of the server ends a request, and why if it
// should not have.
func ended(m *nats.Msg) (bool, error) {
	switch status := m.Header.Get("Status"); status {
	case "100": // heartbeat
		return false, nil
	case "404", "408": // nothing there, or not in time
		return true, nil
	case "503":
		return true, errors.New("nobody answers for the consumer: it was deleted, or JetStream is not available")
	default:
		return true, fmt.Errorf("pull: %s %s", status, m.Header.Get("Description"))
	}
}

func (q *consumer) delivery(m *nats.Msg) (queue.Delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return queue.Delivery{}, fmt.Errorf("message of another kind: %w", err)
	}
	headers := make(map[string]string, len(m.Header))
	for k := range m.Header {
		if !strings.HasPrefix(k, "Nats-") { // what was between its sender and the server
			headers[k] = m.Header.Get(k)
		}
	}
	id, metadata := queue.Unfold(headers)
	if id == "" {
		id = fmt.Sprintf("%s:%d", meta.Stream, meta.Sequence.Stream)
	}
	out := message.NewMessage(id, m.Data)
	out.Metadata = metadata
	return queue.Delivery{
		Message: out,
		Lease:   queue.Hold(handle{q.nc, m.Reply}, int(meta.NumDelivered), q.ackWait),
	}, nil
}

// Close ends the connection, after everything was settled through it.
func (q *consumer) Close() error {
	q.nc.Close()
	q.lost(nil)
	return nil
}

// handle settles one message. Every word is a request, so that the server has
// heard it when it answers.
type handle struct {
	nc    *nats.Conn
	reply string
}

func (h handle) say(ctx context.Context, word string) error {
	_, err := h.nc.RequestWithContext(ctx, h.reply, []byte(word))
	return err
}

func (h handle) Extend(ctx context.Context) error { return h.say(ctx, "+WPI") }
func (h handle) Ack(ctx context.Context) error    { return h.say(ctx, "+ACK") }

func (h handle) Nack(ctx context.Context, delay time.Duration) error {
	if delay <= 0 {
		return h.say(ctx, "-NAK")
	}
	return h.say(ctx, fmt.Sprintf(`-NAK {"delay": %d}`, delay))
}
