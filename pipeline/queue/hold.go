package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// callTimeout bounds one call that extends or ends a lease.
const callTimeout = 10 * time.Second

var (
	errSettled = errors.New("message was acked or nacked before")
	errRanOut  = errors.New("its time ran out")
)

// Handle is what a driver can do with one received message. An error that wraps
// [pipeline.ErrLeaseLost] says that the message is not ours any more; after any
// other the call may be made again. Calls are made one at a time.
type Handle interface {
	// Extend makes the broker hold the message for as long again.
	Extend(ctx context.Context) error
	// Ack returns nil when the broker has done with the message.
	Ack(ctx context.Context) error
	// Nack has the message delivered again after delay.
	Nack(ctx context.Context, delay time.Duration) error
}

// Held is a pipeline.Lease on a message; see [Hold].
type Held struct {
	handle  Handle
	attempt int
	period  time.Duration

	ctx  context.Context
	end  context.CancelCauseFunc
	turn chan struct{} // full while a call about the message is under way
	kept chan struct{} // closed when there is no heartbeat any more

	mu       sync.Mutex
	expiry   *time.Timer // loses the lease
	fault    error       // why it was not extended the last time
	extended func()      // is told of each extension; nil: nobody is
}

// Hold holds a message that was just received, on its nth delivery. The broker
// redelivers it after period unless it is extended, which is done about each
// third of that; with a period of 0 it holds it for as long as it is connected.
func Hold(h Handle, attempt int, period time.Duration) *Held {
	l := &Held{handle: h, attempt: attempt, period: period, turn: make(chan struct{}, 1), kept: make(chan struct{})}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	if period == 0 {
		close(l.kept)
		return l
	}
	l.expiry = time.AfterFunc(period, l.expire)
	go l.keep()
	return l
}

// Attempt returns which delivery of the message this is.
func (l *Held) Attempt() int { return l.attempt }

// Context ends with the lease.
func (l *Held) Context() context.Context { return l.ctx }

// OnExtend has told called after each extension from now on.
func (l *Held) OnExtend(told func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.extended = told
}

// Lose ends the lease because the message is not ours any more.
func (l *Held) Lose(why error) {
	if l.expiry != nil {
		l.expiry.Stop()
	}
	if !errors.Is(why, pipeline.ErrLeaseLost) {
		why = fmt.Errorf("%w: %w", pipeline.ErrLeaseLost, why)
	}
	l.end(why)
}

func (l *Held) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Lose(errors.Join(errRanOut, l.fault))
}

// settle ends the lease because the broker was told, and waits for the heartbeat.
func (l *Held) settle() {
	if l.expiry != nil {
		l.expiry.Stop()
	}
	l.end(errSettled)
	<-l.kept
}

// keep extends the lease about each third of its period, so that two heartbeats
// can fail, and not all leases at the same time.
func (l *Held) keep() {
	defer close(l.kept)
	third := l.period / 3
	wait := jittered(third)
	for failures := 0; sleep(l.ctx, wait); {
		switch err := l.extend(); {
		case err == nil:
			failures, wait = 0, jittered(third)
		case errors.Is(err, pipeline.ErrLeaseLost):
			l.Lose(err)
		default:
			failures++
			wait = backoff(failures, l.period/24, l.period/6)
		}
	}
}

func jittered(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }

func (l *Held) extend() error {
	if !l.begin(l.ctx) {
		return context.Cause(l.ctx)
	}
	defer l.done()
	asked := time.Now() // the broker counts from when it hears of it, which is later
	ctx, cancel := context.WithTimeout(l.ctx, min(callTimeout, l.period/3))
	defer cancel()
	err := l.handle.Extend(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = err
	if err == nil && l.extended != nil {
		l.extended()
	}
	if err == nil && l.ctx.Err() == nil {
		l.expiry.Reset(time.Until(asked.Add(l.period)))
	}
	return err
}

// begin waits for the call that is under way; one after the other they cannot
// undo each other. It reports whether the lease lives.
func (l *Held) begin(ctx context.Context) bool {
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

func (l *Held) done() { <-l.turn }

// Ack tries until the broker has done with the message, ctx ends or the lease is
// lost. The heartbeat goes on until then.
func (l *Held) Ack(ctx context.Context) error {
	return l.tell(ctx, l.handle.Ack)
}

// Nack has the message delivered again after delay, which counts from now.
func (l *Held) Nack(ctx context.Context, delay time.Duration) error {
	due := time.Now().Add(delay)
	return l.tell(ctx, func(ctx context.Context) error {
		return l.handle.Nack(ctx, max(time.Until(due), 0))
	})
}

// tell makes a call that ends the lease, until it succeeds.
func (l *Held) tell(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })()
	var last error
	for attempt := 1; l.begin(ctx); attempt++ {
		within, stop := context.WithTimeout(ctx, callTimeout)
		last = call(within)
		stop()
		l.done()
		switch {
		case last == nil:
			l.settle()
			return nil
		case errors.Is(last, pipeline.ErrLeaseLost):
			l.Lose(last)
		}
		if !sleep(ctx, backoff(attempt, 200*time.Millisecond, callTimeout)) {
			break
		}
	}
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	// Nobody will settle it: the broker redelivers it in its time.
	defer l.Lose(errors.New("the broker was not told"))
	return errors.Join(context.Cause(ctx), last)
}
