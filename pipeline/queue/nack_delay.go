package queue

import (
	"context"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// Backoff returns about a second for the first attempt and doubles with each
// attempt, up to about a minute. It varies by a quarter, so that messages that
// failed together do not come back together.
func Backoff(attempt int) time.Duration {
	return backoff.Backoff{First: time.Second, Longest: time.Minute}.Delay(attempt)
}

// wait keeps a nacked message leased until its delay is over, its lease is lost,
// or intake ends. The message gives up its slot unless too many wait already.
func (q *source) wait(intake context.Context, lease *Lease, delay time.Duration, free func()) {
	select {
	case q.waiting <- struct{}{}:
		defer func() { <-q.waiting }()
		free()
	default: // it keeps its slot, so that the intake slows down
	}
	if w, ok := lease.handle.(Waiter); ok {
		w.Waits()
	}
	ctx, cancel := context.WithCancel(intake)
	defer cancel()
	defer context.AfterFunc(lease.Context(), cancel)()
	backoff.Sleep(ctx, delay)
}
