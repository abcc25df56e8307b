// Package backoff computes how long to wait before the next attempt, and waits.
package backoff

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Backoff doubles the wait with each attempt. Waits are random, so that callers
// that failed together do not come back together. Safe for concurrent use.
type Backoff struct {
	First   time.Duration // before the second attempt
	Longest time.Duration // bounds the doubling
	Jitter  Jitter
}

// Jitter is the range from which a wait is drawn.
type Jitter int

const (
	// Around draws from 7/8 to 9/8 of the doubled wait.
	Around Jitter = iota
	// Below draws from half of the doubled wait to all of it.
	Below
)

// Delay returns the wait after the given number of failed attempts, which
// counts from 1; less counts as 1.
func (b Backoff) Delay(attempt int) time.Duration {
	d := b.Longest
	if n := max(attempt, 1) - 1; b.First <= b.Longest>>n { // cannot overflow
		d = b.First << n
	}
	if b.Jitter == Below {
		return d - Random(d/2+1)
	}
	return d - d/8 + Random(d/4+1)
}

// Wait sleeps for the Delay of the attempt, or until ctx ends. It returns false if
// ctx has ended.
func (b Backoff) Wait(ctx context.Context, attempt int) bool {
	return Sleep(ctx, b.Delay(attempt))
}

// Sleep waits for d, or until ctx ends. It returns false if ctx has ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// source replaces math/rand; nil: it does not.
var source atomic.Pointer[func(n int64) int64]

// Random returns a random duration from 0 up to but not including n, which is more than 0.
// All jitter of the program comes from it. Safe for concurrent use.
func Random(n time.Duration) time.Duration {
	if f := source.Load(); f != nil {
		return time.Duration((*f)(int64(n)))
	}
	return rand.N(n)
}

// SetSource makes Random call f with n in nanoseconds, until restore is called. A simulation uses it, so
// that one seed decides the waits of the whole program. f is called by several goroutines at once.
func SetSource(f func(n int64) int64) (restore func()) {
	before := source.Swap(&f)
	return func() { source.Store(before) }
}
