package pipeline

import (
	"cmp"
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// Retry says how transient errors are retried while the worker holds the message. The zero value is
// the default.
type Retry struct {
	// Max is the number of retries. Default 4; negative: none.
	Max int
	// Initial is the longest first wait; it doubles with each wait. A wait is random between
	// half of its limit and the limit. Default 500 ms.
	Initial time.Duration
	// Longest is the limit of every wait. Default 10 s.
	Longest time.Duration
}

func (r Retry) withDefaults() Retry {
	r.Max = cmp.Or(r.Max, 4)
	r.Initial = cmp.Or(r.Initial, 500*time.Millisecond)
	r.Longest = cmp.Or(r.Longest, 10*time.Second)
	return r
}

// retried repeats a handling that failed with a transient error. A wait ends when the context of the
// message ends. During a shutdown nothing is retried: the queue delivers the message to another worker.
//
// Watermill's retry is not used: with a condition its waits grow fourfold, they exceed the longest
// wait, and after a cancellation it returns the cancellation instead of the failure.
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
