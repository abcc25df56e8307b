package pipeline

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
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

// retried repeats what failed with a transient error. A wait ends when the
// message's context does. Once stopping is done nothing is repeated: the queue
// delivers it to a worker that stays.
//
// Watermill's own retry is not used: it waits four times as long with each
// repetition if it is given a condition, exceeds its longest wait, and answers a
// cancellation with the cancellation instead of with what had failed.
func retried(r Retry, stopping context.Context) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		waits := backoff.Backoff{First: r.Initial, Longest: r.Longest, Jitter: backoff.Below}
		return func(msg *message.Message) ([]*message.Message, error) {
			for n := 0; ; n++ {
				_, err := next(msg)
				if n >= r.Max || Classify(err) != ClassTransient || !pause(msg.Context(), stopping, waits.Delay(n+1)) {
					return nil, err
				}
				deliveryOf(msg).Retries++
			}
		}
	}
}

// pause waits for d. It returns false if one of the contexts ends first.
func pause(ctx, stopping context.Context, d time.Duration) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(stopping, cancel)()
	return backoff.Sleep(ctx, d) && stopping.Err() == nil
}
