package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// callTimeout bounds one call that extends or ends a lease.
const callTimeout = 10 * time.Second

// retries are the waits between calls that try to ack or nack a message.
var retries = backoff.Backoff{First: 200 * time.Millisecond, Longest: callTimeout}

var (
	errSettled = errors.New("message was acked or nacked before")
	errRanOut  = errors.New("its time ran out")
)

// Handle is what a driver can do with one received message. An error that wraps
// [pipeline.ErrLeaseLost] says that the queue has taken the message back; after
// any other error the engine may repeat the call. It makes one call at a time.
type Handle interface {
	// Extend makes the queue hold the message for the period from now.
	Extend(ctx context.Context, period time.Duration) error
	// Ack returns nil when the queue has deleted the message.
	Ack(ctx context.Context) error
	// Nack makes the queue deliver the message again after delay.
	Nack(ctx context.Context, delay time.Duration) error
}

// Waiter is a [Handle] that learns when the consumer has nacked its message, which
// then only waits until its delay is over.
type Waiter interface{ Waits() }

// Lease is a worker's time-limited hold on one message; see [Hold]. It extends itself until the message is acked or nacked,
// or the lease is lost. Its methods are safe for concurrent use.
type Lease struct {
	handle  Handle
	attempt int
	period  time.Duration
	limit   time.Duration // 0: none
	last    time.Time     // until when the message can be held at all, if there is a limit

	ctx  context.Context
	end  context.CancelCauseFunc
	turn chan struct{} // full while a call about the message is under way
	kept chan struct{} // closed when the heartbeat has ended

	mu       sync.Mutex
	until    time.Time   // when the lease is lost unless it is extended
	expiry   *time.Timer // loses the lease
	fault    error       // of the last extension
	extended func()      // runs after each extension; may be nil
}

// Hold returns the lease on a message that was just received, on its nth
// delivery. The queue redelivers the message after period unless the lease is
// extended, which happens about each third of it. Period 0 means that the queue
// holds the message for as long as it is open.
func Hold(h Handle, attempt int, period time.Duration) *Lease {
	return HoldAtMost(h, attempt, period, 0)
}

// HoldAtMost is Hold for a queue that holds a message for at most limit in total,
// however often it is extended. The last extension is cut so that the lease ends
// within the second before the limit, in whole seconds.
func HoldAtMost(h Handle, attempt int, period, limit time.Duration) *Lease {
	now := time.Now()
	l := &Lease{
		handle: h, attempt: attempt, period: period, limit: limit, last: now.Add(limit - time.Second), until: now.Add(period),
		turn: make(chan struct{}, 1), kept: make(chan struct{}),
	}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	if period == 0 {
		close(l.kept)
		return l
	}
	l.expiry = time.AfterFunc(period, l.expire)
	go l.keep()
	return l
}

// Attempt returns which delivery of the message this is, from 1.
func (l *Lease) Attempt() int { return l.attempt }

// Context ends with the lease. Its cause is [pipeline.ErrLeaseLost] unless Ack or Nack ended the lease.
func (l *Lease) Context() context.Context { return l.ctx }

// OnExtend registers a callback that runs after each extension from now on.
func (l *Lease) OnExtend(callback func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.extended = callback
}

// Lose ends the lease because the queue has taken the message back.
func (l *Lease) Lose(why error) {
	if l.expiry != nil {
		l.expiry.Stop()
	}
	if !errors.Is(why, pipeline.ErrLeaseLost) {
		why = fmt.Errorf("%w: %w", pipeline.ErrLeaseLost, why)
	}
	l.end(why)
}

func (l *Lease) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	why := l.fault
	if l.atLimit() {
		why = l.limitError()
	}
	l.Lose(errors.Join(errRanOut, why))
}

// atLimit reports whether no extension can gain a second any more.
func (l *Lease) atLimit() bool { return l.limit > 0 && l.last.Sub(l.until) < time.Second }

func (l *Lease) limitError() error {
	return fmt.Errorf("held for %s, which is as long as the queue allows", l.limit)
}

// settle ends the lease because the queue knows what becomes of the message, and
// waits for the end of the heartbeat.
func (l *Lease) settle() {
	if l.expiry != nil {
		l.expiry.Stop()
	}
	l.end(errSettled)
	<-l.kept
}

// keep extends the lease about each third of its period: two heartbeats can fail,
// and leases that began together are not extended together.
func (l *Lease) keep() {
	defer close(l.kept)
	third := l.period / 3
	soon := backoff.Backoff{First: l.period / 24, Longest: l.period / 6}
	wait := jittered(third)
	for failures := 0; backoff.Sleep(l.ctx, wait); {
		switch err := l.extend(); {
		case err == nil:
			failures, wait = 0, jittered(third)
		case errors.Is(err, pipeline.ErrLeaseLost):
			l.Lose(err)
		default:
			failures++
			wait = soon.Delay(failures)
		}
	}
}

func jittered(d time.Duration) time.Duration { return d - d/10 + backoff.Random(d/5+1) }

func (l *Lease) extend() error {
	if !l.begin(l.ctx) {
		return context.Cause(l.ctx)
	}
	defer l.done()
	asked := time.Now() // the queue counts from a later moment, when the call arrives
	until := asked.Add(l.period)
	if l.limit > 0 && until.After(l.last) {
		until = asked.Add(l.last.Sub(asked).Truncate(time.Second))
	}
	err := l.extendUntil(asked, until)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = err
	if err != nil {
		return err
	}
	l.until = until
	if l.extended != nil {
		l.extended()
	}
	if l.ctx.Err() == nil {
		l.expiry.Reset(time.Until(until))
	}
	return nil
}

func (l *Lease) extendUntil(now, until time.Time) error {
	if l.atLimit() { // only extend, which has its turn, changes until
		return l.limitError()
	}
	ctx, cancel := context.WithTimeout(l.ctx, min(callTimeout, l.period/3))
	defer cancel()
	return l.handle.Extend(ctx, until.Sub(now))
}

// begin waits for the call that is under way: one after the other, calls cannot
// undo each other. It reports whether the lease lives.
func (l *Lease) begin(ctx context.Context) bool {
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

func (l *Lease) done() { <-l.turn }

// Ack tries until the queue has deleted the message, ctx ends or the lease is
// lost. The heartbeat continues until then. The error wraps [pipeline.ErrLeaseLost] if the lease was lost.
func (l *Lease) Ack(ctx context.Context) error {
	return l.tell(ctx, l.handle.Ack)
}

// Nack makes the queue deliver the message again after delay, which counts from
// now even if the queue answers only later. Errors: see Ack.
func (l *Lease) Nack(ctx context.Context, delay time.Duration) error {
	due := time.Now().Add(delay)
	if l.limit > 0 && due.After(l.last) {
		due = l.last
	}
	return l.tell(ctx, func(ctx context.Context) error {
		return l.handle.Nack(ctx, max(time.Until(due), 0))
	})
}

// tell repeats a call that ends the lease until it succeeds.
func (l *Lease) tell(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })()
	var last error
	for attempt := 1; l.begin(ctx); attempt++ {
		within, stop := context.WithTimeout(ctx, callTimeout)
		last = call(within)
		stop()
		switch { // before another call's turn: an extension would undo a nack
		case last == nil:
			l.settle()
		case errors.Is(last, pipeline.ErrLeaseLost):
			l.Lose(last)
		}
		l.done()
		if last == nil {
			return nil
		}
		if !retries.Wait(ctx, attempt) {
			break
		}
	}
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	// Without an answer the queue redelivers the message when its lease ends.
	defer l.Lose(errors.New("the queue did not take the answer"))
	return errors.Join(context.Cause(ctx), last)
}
