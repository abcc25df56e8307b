package pipeline

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Retry says how transient errors are retried while the message is held. The
// zero value is the default.
type Retry struct {
	// Max is how many times a failed handling is repeated. Default 4; negative: never.
	Max int
	// Initial bounds the first wait; the bound doubles with each wait. A wait is
	// somewhere between half of its bound and all of it. Default 500 ms.
	Initial time.Duration
	// Longest bounds every wait. Default 10 s.
	Longest time.Duration
}

func (r Retry) withDefaults() Retry {
	if r.Max == 0 {
		r.Max = 4
	}
	if r.Initial == 0 {
		r.Initial = 500 * time.Millisecond
	}
	if r.Longest == 0 {
		r.Longest = 10 * time.Second
	}
	return r
}

// wait returns how long to wait after n repetitions.
func (r Retry) wait(n int) time.Duration {
	bound := r.Longest
	if r.Initial <= r.Longest>>n { // cannot overflow
		bound = r.Initial << n
	}
	return bound/2 + rand.N(bound-bound/2+1)
}

// retried repeats what failed with a transient error. A wait ends when the
// message's context does. Once stopping is done nothing is repeated: the queue
// delivers it to a worker that stays.
//
// Watermill's own retry is not used: it waits four times as long with each
// repetition if it is given a condition, exceeds its longest wait, and answers a
// cancellation with the cancellation instead of with what had failed.
func retried(r Retry, stopping context.Context) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			for n := 0; ; n++ {
				_, err := next(msg)
				if n >= r.Max || Classify(err) != ClassTransient || !pause(msg.Context(), stopping, r.wait(n)) {
					return nil, err
				}
				deliveryOf(msg).Retries++
			}
		}
	}
}

// pause waits for d and reports whether both contexts are still alive. It ends
// when one of them does.
func pause(ctx, stopping context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-stopping.Done():
	}
	return ctx.Err() == nil && stopping.Err() == nil
}
