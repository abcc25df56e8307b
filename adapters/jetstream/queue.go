package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// pullFor is how long one request waits for a message.
	pullFor = 30 * time.Second
	// idleBeat is how often the server confirms that a request is still open.
	idleBeat = 5 * time.Second
	// drainTime bounds the wait for messages that the server has already sent when
	// a request is given up.
	drainTime = time.Second
	// answerTime is how long the server may take to confirm an ack before Ack asks about
	// the consumer.
	answerTime = 3 * time.Second
)

// consumer is a durable consumer. It speaks the pull protocol itself: when the
// client's own pulls are cancelled they lose the messages that are on their way, and
// the server would redeliver these only after AckWait.
type consumer struct {
	nc      *nats.Conn
	next    string          // the subject of pull requests
	info    string          // the subject that tells about the consumer
	broken  context.Context // ends when the connection is lost
	lost    context.CancelCauseFunc
	ackWait time.Duration
	limit   int // MaxDeliver; 0: none
	log     *slog.Logger

	sub *nats.Subscription // of the answers; nil: none yet
	in  chan *nats.Msg
}

// DeliveryLimit implements queue.Limiter.
func (q *consumer) DeliveryLimit() int { return q.limit }

// pull is a request for messages, in the form of the protocol.
type pull struct {
	Batch   int           `json:"batch"`
	NoWait  bool          `json:"no_wait,omitempty"`
	Expires time.Duration `json:"expires,omitempty"`
	Beat    time.Duration `json:"idle_heartbeat,omitempty"`
}

// Receive takes the messages that are there, or waits for one: the server would
// continue to fill a larger request after Receive has returned.
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

// pull makes one request and returns its messages, until the server ends it. There may
// be neither messages nor an error.
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
			if m.Reply != "" { // otherwise it is a status of the server
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

// giveUp ends a request and returns the messages that the server sent before it knew.
func (q *consumer) giveUp() (got []queue.Delivery) {
	sub := q.sub
	q.sub = nil
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if sub.Drain() != nil || q.nc.FlushWithContext(ctx) != nil {
		return nil // without a connection, the server redelivers them
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

// ended reports whether a status of the server ends a request. The error says why, if
// the end was not expected.
func ended(m *nats.Msg) (bool, error) {
	switch status := m.Header.Get("Status"); status {
	case "100": // heartbeat
		return false, nil
	case "404", "408": // nothing there, or not in time
		return true, nil
	case "503":
		return true, errors.New("the consumer does not answer: it was deleted, or JetStream is not available")
	default:
		return true, fmt.Errorf("pull: %s %s", status, m.Header.Get("Description"))
	}
}

func (q *consumer) delivery(m *nats.Msg) (queue.Delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return queue.Delivery{}, fmt.Errorf("not a message of a consumer: %w", err)
	}
	headers := make(map[string]string, len(m.Header))
	for k := range m.Header {
		if !strings.HasPrefix(k, "Nats-") { // those are between the sender and the server
			headers[k] = m.Header.Get(k)
		}
	}
	return queue.Delivery{
		Message: queue.Received(fmt.Sprintf("%s:%d", meta.Stream, meta.Sequence.Stream), m.Data, headers),
		Lease:   queue.Hold(handle{q.nc, m.Reply, meta.Sequence.Stream, q.info}, int(meta.NumDelivered), q.ackWait),
		Sent:    meta.Timestamp,
	}, nil
}

// Close ends the connection. All messages were settled through it before.
func (q *consumer) Close() error {
	q.nc.Close()
	q.lost(nil)
	return nil
}

// handle settles one message. Each word is sent as a request, so that the server
// confirms it.
type handle struct {
	nc       *nats.Conn
	reply    string
	sequence uint64 // of the message in its stream
	info     string // the subject that tells about the consumer
}

func (h handle) say(ctx context.Context, word string) error {
	_, err := h.nc.RequestWithContext(ctx, h.reply, []byte(word))
	return err
}

func (h handle) Extend(ctx context.Context, _ time.Duration) error { return h.say(ctx, "+WPI") }

// Ack asks about the consumer if the server is silent: a server that lost its newest state,
// for example by a power cut, confirms heartbeats of a message that it does not remember to
// have delivered, but never its ack. It will deliver the message again.
func (h handle) Ack(ctx context.Context) error {
	patient, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err := h.say(patient, "+ACK")
	if err == nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if delivered, askErr := h.delivered(ctx); askErr == nil && delivered < h.sequence {
		return fmt.Errorf("%w: the server has forgotten that it delivered the message", pipeline.ErrLeaseLost)
	}
	return err
}

// delivered returns the sequence of the last message that the server remembers to have
// delivered to the consumer.
func (h handle) delivered(ctx context.Context) (uint64, error) {
	answer, err := h.nc.RequestWithContext(ctx, h.info, nil)
	if err != nil {
		return 0, err
	}
	var consumer struct {
		Name      string
		Delivered struct {
			Stream uint64 `json:"stream_seq"`
		}
	}
	if err := json.Unmarshal(answer.Data, &consumer); err != nil {
		return 0, err
	}
	if consumer.Name == "" { // it is an error of the server
		return 0, fmt.Errorf("ask about the consumer: %s", answer.Data)
	}
	return consumer.Delivered.Stream, nil
}

func (h handle) Nack(ctx context.Context, delay time.Duration) error {
	if delay <= 0 {
		return h.say(ctx, "-NAK")
	}
	return h.say(ctx, fmt.Sprintf(`-NAK {"delay": %d}`, delay))
}
