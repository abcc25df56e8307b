package pipeline

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Handled is how far one event of a message has come.
type Handled struct {
	Event Event
	// Err is why the event's work was not done. It is nil for an event that
	// was handled, was a duplicate or asked for no work.
	Err error
	// Duplicate means that the work had been done before.
	Duplicate bool

	settled bool // handling it again would change nothing
}

// batch holds the events of one message. Only the goroutine that handles the
// message touches it.
type batch []Handled

type batchKey struct{}

func withBatch(ctx context.Context, b batch) context.Context {
	return context.WithValue(ctx, batchKey{}, b)
}

// batchOf returns the events of the message; none before it is decoded.
func batchOf(msg *message.Message) batch {
	b, _ := msg.Context().Value(batchKey{}).(batch)
	return b
}

// err is nil when every event is done, else what the failed ones returned.
func (b batch) err() error {
	var failed eventErrors
	for _, h := range b {
		if h.Err != nil {
			failed = append(failed, h.Err)
		}
	}
	switch len(failed) {
	case 0:
		return nil
	case 1:
		return failed[0]
	default:
		return failed
	}
}

// each is the end of the chain. It gives every event of the message that is not
// settled to handle, one after the other. It goes on after a failure, so that
// one bad record of a thousand does not hold up the others; called again by a
// retry, it goes over the failed ones only.
func each(handle Handler) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		ctx := msg.Context()
		b := batchOf(msg)
		for i := range b {
			h := &b[i]
			if h.settled {
				continue
			}
			if ctx.Err() != nil {
				h.Err = context.Cause(ctx)
				continue
			}
			h.Err = handle(ctx, h.Event)
			h.settled = Classify(h.Err) != ClassTransient
		}
		return nil, b.err()
	}
}
