package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

type deliveryKey struct{}

// deliveryOf returns the delivery that a message belongs to. Only the goroutine that handles
// the message uses it.
func deliveryOf(msg *message.Message) *Delivery {
	return msg.Context().Value(deliveryKey{}).(*Delivery)
}

// observed is the outermost middleware: it chooses between ack and nack by the class of the
// error, calls the observer and writes the log line of the delivery. limit is Config.QueueLimit.
func observed(log *slog.Logger, observer *Observer, limit int) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			start := time.Now()
			d := &Delivery{
				MessageID: msg.UUID, Attempt: Attempt(msg),
				Trace:    Trace{msg.Metadata.Get(MetadataTraceparent), msg.Metadata.Get(MetadataTracestate)},
				observer: observer,
			}
			ctx := context.WithValue(observer.Begin(msg.Context(), *d), deliveryKey{}, d)
			msg.SetContext(ctx)
			d.Err = safely(func() error { // a publisher of dead letters may panic, too
				_, err := next(msg)
				return err
			})
			d.Duration = time.Since(start)

			var back error
			switch class := Classify(d.Err); {
			case d.Fate == DeadLettered:
				// Ack: the dead letters have the message, with its reason.
			case d.Fate == Continued:
				// Ack: a new message in the queue asks for the rest of the work.
			case class == ClassNone || class == ClassSuperseded:
				d.Fate = Acked // Ack: the work is done, or the store has proved that there is none.
			default:
				d.Fate, back = Nacked, d.Err // Nack: the work is not done.
			}
			// A panic of an observer does not change what was done.
			if err := safely(func() error { observer.End(ctx, *d); return nil }); err != nil {
				log.LogAttrs(ctx, slog.LevelError, "observer failed", errorAttrs(err)...)
			}
			// The log comes last: metrics and page have by then what the line tells.
			logDelivery(ctx, log, *d, limit)
			logMissing(ctx, log, *d)
			return nil, back
		}
	}
}

func logDelivery(ctx context.Context, log *slog.Logger, d Delivery, limit int) {
	level, text := slog.LevelDebug, "message handled"
	switch {
	case d.Fate == DeadLettered:
		level, text = slog.LevelError, "message dead-lettered"
	case d.Fate == Continued:
		level, text = slog.LevelInfo, "message continues in a new one"
	case d.Fate == Nacked && limit > 0 && d.Attempt >= limit:
		level, text = slog.LevelError, "the queue gives up the message: this was the last delivery that it permits"
	case d.Fate == Nacked && errors.Is(context.Cause(ctx), ErrLeaseLost):
		level, text = slog.LevelWarn, "the lease of the message is lost: the queue delivers it again"
	case d.Fate == Nacked:
		level, text = slog.LevelWarn, "message goes back to the queue"
	case d.Err != nil:
		level, text = slog.LevelInfo, "message superseded"
	}
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("message_id", d.MessageID),
		slog.Int("attempt", d.Attempt),
		slog.Duration("duration", d.Duration),
	}
	if len(d.Events) > 0 {
		e := worst(d.Events)
		o := e.Object
		attrs = append(attrs, slog.Int("events", len(d.Events)), slog.String("bucket", o.Bucket),
			slog.String("key", o.Key), slog.String("version_id", o.VersionID))
		if e.Shard != nil {
			attrs = append(attrs, slog.String("shard", e.Shard.String()))
		}
	}
	if why := Superseded(d.Err); why != "" {
		attrs = append(attrs, slog.String("reason", string(why)))
	}
	if d.Err != nil {
		attrs = append(attrs, errorAttrs(d.Err)...)
	}
	log.LogAttrs(ctx, level, text, attrs...)
}

// logMissing names each object of a settled message that does not exist. The line of a message with
// several events names only one of them.
func logMissing(ctx context.Context, log *slog.Logger, d Delivery) {
	if d.Fate == Nacked || len(d.Events) < 2 {
		return
	}
	for _, h := range d.Events {
		if o := h.Event.Object; Superseded(h.Err) == SupersededMissing {
			log.LogAttrs(ctx, slog.LevelInfo, "event superseded", slog.String("message_id", d.MessageID), slog.String("bucket", o.Bucket),
				slog.String("key", o.Key), slog.String("version_id", o.VersionID), slog.String("reason", string(SupersededMissing)))
		}
	}
}

// worst returns the event that the log line names: the first one whose failure decided the fate of the
// message, or the first one if none failed.
func worst(events []Handled) Event {
	worst := events[0]
	for _, h := range events {
		if Classify(h.Err).care() > Classify(worst.Err).care() {
			worst = h
		}
	}
	return worst.Event
}

func errorAttrs(err error) []slog.Attr {
	attrs := []slog.Attr{slog.Any("err", err)}
	if p, ok := errors.AsType[*PanicError](err); ok {
		attrs = append(attrs, slog.String("stack", p.Stack))
	}
	return attrs
}
