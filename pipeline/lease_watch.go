package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// LeaseWatch is told by subscribers what becomes of leases, from several goroutines
// at once. It must not block. What is nil is not told; the zero value is nobody.
type LeaseWatch struct {
	Extended func() // a lease was extended
	Lost     func() // a lease was lost
	// Settle is called before a queue is told that a message is acked, or else given
	// back, with the context that the message had in the end. What it returns is
	// called with the outcome.
	Settle func(ctx context.Context, acked bool) func(error)
}

// Begin watches a lease that a subscriber has taken, and returns what to call when it
// is done with it.
func (w LeaseWatch) Begin(l Lease) (end func()) {
	if l, ok := l.(interface{ OnExtend(func()) }); ok && w.Extended != nil {
		l.OnExtend(w.Extended)
	}
	return func() {
		if w.Lost != nil && errors.Is(context.Cause(l.Context()), ErrLeaseLost) {
			w.Lost()
		}
	}
}

// Settling says that a message is acked, or else given back, and returns what to call
// with the outcome.
func (w LeaseWatch) Settling(m *message.Message, acked bool) func(error) {
	if w.Settle == nil {
		return func(error) {}
	}
	ctx := context.Background()
	select {
	case <-m.Acked():
		ctx = m.Context()
	case <-m.Nacked():
		ctx = m.Context()
	default: // its consumer may still be at it
	}
	return w.Settle(ctx, acked)
}

// LeaseWatch returns the part of the observer that queues use.
func (o Observer) LeaseWatch() LeaseWatch {
	all := Observers(o)
	return LeaseWatch{
		Extended: func() { all.Lease(LeaseExtended) },
		Lost:     func() { all.Lease(LeaseLost) },
		Settle: func(ctx context.Context, acked bool) func(error) {
			step := StepNack
			if acked {
				step = StepAck
			}
			began := time.Now()
			ctx = all.Step(ctx, step, Object{})
			return func(err error) { all.Stepped(ctx, step, began, err) }
		},
	}
}
