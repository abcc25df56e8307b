package pipeline

import (
	"errors"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Fate is what became of a delivery.
type Fate string

// The fates of deliveries.
const (
	Acked        Fate = "acked"         // done, superseded or nothing to do
	Nacked       Fate = "nacked"        // back to the queue
	DeadLettered Fate = "dead-lettered" // acknowledged, and kept with its reason
)

// Delivery is one delivery of one message and what became of it.
type Delivery struct {
	MessageID string
	Attempt   int       // from 1
	Events    []Handled // none if the message could not be decoded
	Fate      Fate
	Err       error // why Fate is not plain success
	Duration  time.Duration
}

// Observer is told of every delivery before it is acknowledged, from several
// goroutines at once. It must not block.
type Observer func(Delivery)

// observed is the outermost middleware: it decides between ack and nack by the
// error's class, tells the observer, and logs, once, what nobody else did.
func observed(log *slog.Logger, observe Observer) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			start := time.Now()
			d := Delivery{MessageID: msg.UUID, Fate: Acked, Attempt: Attempt(msg)}
			_, d.Err = next(msg)
			d.Events = batchOf(msg)
			d.Duration = time.Since(start)
			var back error
			switch reason := msg.Metadata.Get(MetadataReason); {
			case Classify(d.Err) == ClassSuperseded:
				// Ack: nobody needs the work, or another event asks for it.
			case d.Err != nil:
				d.Fate, back = Nacked, d.Err // Nack: the work is not done
			case reason != "":
				d.Fate, d.Err = DeadLettered, errors.New(reason)
			}
			logDelivery(log, msg, d)
			if observe != nil {
				observe(d)
			}
			return nil, back
		}
	}
}

func logDelivery(log *slog.Logger, msg *message.Message, d Delivery) {
	level, text := slog.LevelDebug, "message handled"
	switch {
	case d.Fate == DeadLettered:
		level, text = slog.LevelError, "message dead-lettered"
	case d.Fate == Nacked:
		level, text = slog.LevelWarn, "message goes back to the queue"
	case d.Err != nil:
		level, text = slog.LevelInfo, "message superseded"
	}
	ctx := msg.Context()
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("message_id", d.MessageID),
		slog.Int("attempt", d.Attempt),
		slog.Duration("duration", d.Duration),
	}
	if len(d.Events) > 0 {
		o := d.Events[0].Event.Object
		attrs = append(attrs, slog.Int("events", len(d.Events)), slog.String("bucket", o.Bucket),
			slog.String("key", o.Key), slog.String("version_id", o.VersionID))
	}
	if d.Err != nil {
		attrs = append(attrs, slog.Any("err", d.Err))
	}
	if p := (*PanicError)(nil); errors.As(d.Err, &p) {
		attrs = append(attrs, slog.String("stack", p.Stack))
	}
	log.LogAttrs(ctx, level, text, attrs...)
}
