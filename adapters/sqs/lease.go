package sqs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

const (
	// heldFor is how long SQS lets a message be held, from its receive and
	// however often its visibility is extended; less a second for clocks.
	heldFor = 12*time.Hour - time.Second
	// callTimeout bounds one call that extends or ends leases.
	callTimeout = 10 * time.Second
	// takeTime is how long a received message is held before somebody takes it.
	takeTime = 5 * time.Second
)

// errSettled is the cause of the end of a lease whose message was acked or nacked.
var errSettled = errors.New("message was acked or nacked before")

var errCap = errors.New("held for 12 hours, which is as long as SQS allows")

// lease is a pipeline.Lease on a received message.
type lease struct {
	q          *openQueue
	handle, id string
	attempt    int
	received   time.Time
	visibility time.Duration
	taken      atomic.Bool // somebody works on it

	ctx  context.Context
	end  context.CancelCauseFunc
	turn chan struct{} // full while a call about the message is under way

	mu       sync.Mutex
	until    time.Time   // when the message is visible unless it is extended
	expiry   *time.Timer // loses the lease then
	fault    error       // why it was not extended the last time
	extended func()      // is told of each extension; nil: nobody is
}

func newLease(q *openQueue, handle, id string, attempt int, visibility time.Duration) *lease {
	now := time.Now()
	l := &lease{
		q: q, handle: handle, id: id, attempt: attempt, received: now, visibility: visibility,
		turn: make(chan struct{}, 1), until: now.Add(visibility),
	}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	l.expiry = time.AfterFunc(visibility, l.expire)
	return l
}

func (l *lease) Attempt() int             { return l.attempt }
func (l *lease) Context() context.Context { return l.ctx }

// OnExtend has told called after each extension from now on.
func (l *lease) OnExtend(told func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.extended = told
}

// settle ends the lease because its message is deleted or given back.
func (l *lease) settle() {
	l.expiry.Stop()
	l.end(errSettled)
}

// lose ends the lease because the message is not ours any more.
func (l *lease) lose(why error) {
	l.expiry.Stop()
	l.end(fmt.Errorf("%w: %w", pipeline.ErrLeaseLost, why))
}

// expire is what happens at the time until which the message was held.
func (l *lease) expire() {
	l.mu.Lock()
	why := l.fault
	l.mu.Unlock()
	switch {
	case time.Since(l.received) > heldFor-2*time.Second:
		why = errCap
	case why == nil:
		why = errors.New("visibility ran out")
	}
	l.end(fmt.Errorf("%w: %w", pipeline.ErrLeaseLost, why))
}

// keep extends the visibility until the lease ends: about each third of it, so
// that two heartbeats can fail, and not all leases at the same time.
func (l *lease) keep() {
	third := l.visibility / 3
	takeTime := min(takeTime, third)
	if !sleep(l.ctx, takeTime) {
		return
	}
	if l.taken.CompareAndSwap(false, true) {
		// There is a worker for each message that is received. If it has not come,
		// it is on its way out.
		ctx, cancel := context.WithTimeout(l.ctx, callTimeout)
		defer cancel()
		l.Nack(ctx, 0) // else it is visible when its time has run out
		return
	}
	failures := 0
	wait := jittered(third) - takeTime
	for sleep(l.ctx, wait) {
		switch err := l.extend(); {
		case err == nil:
			failures, wait = 0, jittered(third)
		case isGone(err):
			l.lose(err)
		default:
			failures++
			wait = backoff(failures, l.visibility/24, l.visibility/6)
		}
	}
}

func jittered(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }

// extend extends the visibility once.
func (l *lease) extend() error {
	if !l.begin(l.ctx) {
		return context.Cause(l.ctx)
	}
	defer l.done()
	now := time.Now()
	grant := min(l.visibility, l.received.Add(heldFor).Sub(now)).Truncate(time.Second)
	l.mu.Lock()
	more := now.Add(grant).After(l.until)
	l.mu.Unlock()
	if !more {
		l.failed(errCap)
		return errCap
	}
	if err := l.q.change(l.ctx, l.handle, grant); err != nil {
		l.failed(err)
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until, l.fault = now.Add(grant), nil
	if l.extended != nil {
		l.extended()
	}
	if l.ctx.Err() == nil {
		l.expiry.Reset(time.Until(l.until))
	}
	return nil
}

func (l *lease) failed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = err
}

// begin waits for the call that is under way; one after the other they cannot
// undo each other. It reports whether the lease lives.
func (l *lease) begin(ctx context.Context) bool {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	case <-l.ctx.Done():
		return false
	}
	if l.ctx.Err() != nil {
		l.done()
		return false
	}
	return true
}

func (l *lease) done() { <-l.turn }

// Ack deletes the message. The heartbeat goes on until that is done.
func (l *lease) Ack(ctx context.Context) error {
	ctx, cancel := l.within(ctx)
	defer cancel()
	var last error
	for attempt := 1; l.begin(ctx); attempt++ {
		last = l.q.delete(ctx, l.handle)
		switch {
		case last == nil:
			l.settle()
		case isGone(last):
			l.lose(last)
		}
		l.done()
		if last == nil {
			return nil
		}
		if !sleep(ctx, backoff(attempt, 200*time.Millisecond, 10*time.Second)) {
			break
		}
	}
	return l.unsettled(ctx, last)
}

// Nack makes the message visible after delay. It tries until the time that the
// message is held for has run out, which does as well.
func (l *lease) Nack(ctx context.Context, delay time.Duration) error {
	due := time.Now().Add(delay)
	if !l.begin(ctx) {
		return l.unsettled(ctx, nil)
	}
	defer l.done() // after this no heartbeat
	defer l.settle()
	var last error
	for attempt := 1; ; attempt++ {
		rest := min(time.Until(due), time.Until(l.received.Add(heldFor)))
		last = l.q.change(ctx, l.handle, max(rest, 0).Round(time.Second))
		if last == nil || isGone(last) {
			return nil // if it is gone it is somebody else's already
		}
		within, cancel := l.within(ctx)
		slept := sleep(within, backoff(attempt, 200*time.Millisecond, 10*time.Second))
		cancel()
		if l.ctx.Err() != nil {
			return nil
		}
		if !slept {
			return l.unsettled(ctx, last)
		}
	}
}

// within returns a context that ends with ctx and with the lease.
func (l *lease) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })
	return ctx, func() { stop(); cancel(nil) }
}

// unsettled is the error of an Ack or Nack that came to nothing.
func (l *lease) unsettled(ctx context.Context, last error) error {
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	return errors.Join(context.Cause(ctx), last)
}
