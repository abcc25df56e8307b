package pipeline

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
)

// Retry says how transient errors are retried while the message is held. The
// zero value is the default.
type Retry struct {
	// Max is how many times a failed handling is repeated. Default 4; negative: never.
	Max int
	// Initial is the first wait, doubled each time. Default 500 ms.
	Initial time.Duration
	// Longest bounds a wait. Default 10 s.
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

// retried repeats what failed with a transient error, with exponential waits
// and jitter of half their length. A wait ends when the message's context does. Once
// stopping is done nothing is repeated: the queue delivers it to a worker that stays.
func retried(r Retry, stopping context.Context) message.HandlerMiddleware {
	if r.Max < 0 {
		return func(next message.HandlerFunc) message.HandlerFunc { return next }
	}
	return middleware.Retry{
		MaxRetries:          r.Max,
		InitialInterval:     r.Initial,
		MaxInterval:         r.Longest,
		Multiplier:          2,
		RandomizationFactor: 0.5,
		ResetContextOnRetry: true,
		ShouldRetry: func(p middleware.RetryParams) bool {
			return stopping.Err() == nil && Classify(p.Err) == ClassTransient
		},
	}.Middleware
}
