package sqs

import (
	"context"
	"sync"
	"time"
)

// streak counts receives that fail in a row. Several loops receive from a
// queue; those that fail while one waits are of the same failure. The zero value is ready.
type streak struct {
	mu       sync.Mutex
	failures int
	until    time.Time // when the next receive may be
}

// backOff waits until a receive is worth another attempt after one has failed,
// and logs the first failure of a row. It reports whether it waited to the end.
func (q *openQueue) backOff(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	s := &q.streak
	s.mu.Lock()
	now := time.Now()
	if s.failures == 0 || !now.Before(s.until) {
		s.failures++
		s.until = now.Add(Backoff(s.failures))
		if s.failures == 1 {
			q.config.Log.Warn("cannot receive from the queue, trying again less and less often", "queue", q.address.queue, "err", err)
		}
	}
	wait := s.until.Sub(now)
	s.mu.Unlock()
	return sleep(ctx, wait)
}

// recovered ends the row of failures.
func (q *openQueue) recovered() {
	s := &q.streak
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures > 0 {
		q.config.Log.Info("the queue can be received from again", "queue", q.address.queue, "failures", s.failures)
	}
	s.failures, s.until = 0, time.Time{}
}
