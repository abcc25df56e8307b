package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// sendPause is the wait before another attempt to send.
const sendPause = 100 * time.Millisecond

// topic sends to a subject that a stream stores.
type topic struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	subject string

	mu        sync.Mutex
	connected context.Context // ends, and is replaced, when the connection is lost
	cut       context.CancelFunc
}

func (t *topic) lost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut()
	t.connected, t.cut = context.WithCancel(context.Background())
}

// Send returns when the stream has stored the message. It repeats the message while
// the client reconnects, so that the stream may store it twice. It does not use the
// server's detection of duplicates: a dead letter that fails again soon after it was
// redriven has the same UUID and must be stored.
func (t *topic) Send(ctx context.Context, m *message.Message) error {
	out := nats.NewMsg(t.subject)
	out.Data = m.Payload
	for k, v := range queue.Fold(m.UUID, m.Metadata, isHeader) {
		out.Header[k] = []string{v}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		err := t.publish(ctx, out)
		var refused *jetstream.APIError
		if err == nil {
			return nil
		}
		if errors.As(err, &refused) || errors.Is(err, nats.ErrConnectionClosed) || !backoff.Sleep(ctx, sendPause) {
			return fmt.Errorf("subject %s: %w", t.subject, err)
		}
	}
}

// publish gives up when the connection is lost, because no answer will come.
func (t *topic) publish(ctx context.Context, out *nats.Msg) error {
	t.mu.Lock()
	connected := t.connected
	t.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(connected, func() { cancel(nats.ErrDisconnected) })()
	_, err := t.js.PublishMsg(ctx, out)
	return err
}

func (t *topic) Close() error {
	t.nc.Close()
	return nil
}

// isHeader reports whether NATS carries a header unchanged: it trims values, cuts them
// at the end of a line, and interprets its own names.
func isHeader(name, value string) bool {
	lower := strings.ToLower(name)
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7F || r == ':' }) &&
		!strings.HasPrefix(lower, "nats-") && lower != "status" && lower != "description" &&
		value != "" && value == strings.TrimSpace(value) && !strings.ContainsAny(value, "\r\n")
}
