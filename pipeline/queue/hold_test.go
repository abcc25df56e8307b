package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeHandle is a message at a broker that redelivers it when its period is over.
type fakeHandle struct {
	period time.Duration

	mu     sync.Mutex
	until  time.Time // when the broker redelivers the message
	calls  []string
	faults []error   // of the next calls
	latest time.Time // until when an extension was asked for
}

func (h *fakeHandle) beyond(limit time.Time) bool { return h.latest.After(limit) }

func newHandle(period time.Duration, faults ...error) *fakeHandle {
	return &fakeHandle{period: period, until: time.Now().Add(period), faults: faults}
}

func (h *fakeHandle) call(what string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, what)
	if len(h.faults) > 0 {
		err := h.faults[0]
		h.faults = h.faults[1:]
		if err != nil {
			return err
		}
	}
	if !time.Now().Before(h.until) {
		return errors.New("called too late: the message was redelivered")
	}
	h.until = time.Now().Add(h.period)
	return nil
}

func (h *fakeHandle) Extend(_ context.Context, period time.Duration) error {
	h.mu.Lock()
	h.latest = time.Now().Add(period)
	h.mu.Unlock()
	return h.call("extend")
}
func (h *fakeHandle) Ack(context.Context) error { return h.call("ack") }
func (h *fakeHandle) Nack(_ context.Context, d time.Duration) error {
	return h.call(fmt.Sprint("nack after ", d))
}

func (h *fakeHandle) count(what string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		if c == what {
			n++
		}
	}
	return n
}

var errDown = errors.New("broker is down")

func TestHoldIsExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandle(time.Minute)
		l := queue.Hold(h, 3, time.Minute)
		time.Sleep(time.Hour)
		if err := l.Context().Err(); err != nil || l.Attempt() != 3 {
			t.Fatalf("the lease ended (%v) or its attempt is %d", err, l.Attempt())
		}
		if n := h.count("extend"); n < 120 || n > 220 {
			t.Errorf("extended %d times in an hour, want about each third of a minute", n)
		}
		if err := l.Ack(t.Context()); err != nil {
			t.Error(err)
		}
		n := h.count("extend")
		time.Sleep(time.Hour)
		if h.count("extend") != n {
			t.Error("extended after the ack")
		}
		if errors.Is(context.Cause(l.Context()), pipeline.ErrLeaseLost) {
			t.Error("an acked message's lease is lost")
		}
		if err := l.Ack(t.Context()); err == nil {
			t.Error("acked twice")
		}
	})
}

func TestHoldOutlivesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandle(time.Minute, errDown, errDown, nil, errDown, errDown)
		l := queue.Hold(h, 1, time.Minute)
		time.Sleep(10 * time.Minute)
		if l.Context().Err() != nil {
			t.Errorf("the lease ended: %v", context.Cause(l.Context()))
		}
		h.mu.Lock()
		h.faults = []error{errDown, errDown}
		h.mu.Unlock()
		if err := l.Ack(t.Context()); err != nil || h.count("ack") < 1 {
			t.Errorf("an ack that failed was not tried again: %v", err)
		}
	})
}

// TestHoldEndsInTime: the lease ends before the broker redelivers the message.
func TestHoldEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults []error
		for range 100 {
			faults = append(faults, errDown)
		}
		h := newHandle(time.Minute, faults...)
		redelivered := h.until
		l := queue.Hold(h, 1, time.Minute)
		<-l.Context().Done()
		if time.Now().After(redelivered) {
			t.Errorf("the lease ended %s after the redelivery", time.Since(redelivered))
		}
		if cause := context.Cause(l.Context()); !errors.Is(cause, pipeline.ErrLeaseLost) || !errors.Is(cause, errDown) {
			t.Errorf("it ended because of %v", cause)
		}
		if err := l.Ack(t.Context()); !errors.Is(err, pipeline.ErrLeaseLost) || h.count("ack") != 0 {
			t.Errorf("ack of a lost message: %v", err)
		}
	})
}

func TestHoldIsLostByTheBrokersAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := fmt.Errorf("unknown message: %w", pipeline.ErrLeaseLost)
		byBeat := queue.Hold(newHandle(time.Minute, gone), 1, time.Minute)
		<-byBeat.Context().Done()
		if cause := context.Cause(byBeat.Context()); !errors.Is(cause, pipeline.ErrLeaseLost) {
			t.Errorf("it ended because of %v", cause)
		}
		byAck := queue.Hold(newHandle(time.Minute, gone), 1, 0)
		if err := byAck.Ack(t.Context()); !errors.Is(err, pipeline.ErrLeaseLost) {
			t.Errorf("ack: %v", err)
		}
		byDriver := queue.Hold(newHandle(time.Minute), 1, 0)
		byDriver.Lose(errDown)
		if err := byDriver.Nack(t.Context(), 0); !errors.Is(err, pipeline.ErrLeaseLost) || !errors.Is(err, errDown) {
			t.Errorf("nack: %v", err)
		}
	})
}

// TestNackDelayCountsFromTheNack: the delay does not count from a later success.
func TestNackDelayCountsFromTheNack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandle(time.Minute, errDown)
		l := queue.Hold(h, 1, time.Minute)
		if err := l.Nack(t.Context(), 100*time.Millisecond); err != nil {
			t.Error(err)
		}
		if h.count("nack after 100ms") != 1 || h.count("nack after 0s") != 1 {
			t.Errorf("calls are %v", h.calls)
		}
	})
}

// TestAckWithoutAnswer: the ack ends with its context, and the lease with it.
func TestAckWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults []error
		for range 100 {
			faults = append(faults, errDown)
		}
		l := queue.Hold(newHandle(time.Hour, faults...), 1, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := l.Ack(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errDown) {
			t.Errorf("ack: %v", err)
		}
		<-l.Context().Done()
	})
}

func TestOnExtend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandle(time.Minute, nil, errDown)
		l := queue.Hold(h, 1, time.Minute)
		told := 0
		l.OnExtend(func() { told++ })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := h.count("extend") - 1; told != n || n < 10 { // one of them failed
			t.Errorf("the callback ran %d times, want %d", told, n)
		}
		if err := l.Ack(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// slowNack is a message whose nack takes longer than the time to the next extension.
type slowNack struct{ *fakeHandle }

func (h slowNack) Nack(ctx context.Context, d time.Duration) error {
	time.Sleep(9 * time.Second)
	return h.fakeHandle.Nack(ctx, d)
}

// TestExtensionDoesNotUndoNack: an extension that waits for a nack to return is not
// made, since it would hide the message for another period.
func TestExtensionDoesNotUndoNack(t *testing.T) {
	for range 5000 { // the two race
		synctest.Test(t, func(t *testing.T) {
			h := newHandle(30 * time.Second)
			l := queue.Hold(slowNack{h}, 1, 30*time.Second)
			time.Sleep(5 * time.Second)
			if err := l.Nack(t.Context(), 0); err != nil {
				t.Error(err)
			}
			if h.count("extend") != 0 {
				t.Fatalf("calls are %v", h.calls)
			}
		})
	}
}

// TestHoldAtMost: the last extension is cut so that the lease ends within the second
// before the limit, and no delay of a nack reaches beyond it.
func TestHoldAtMost(t *testing.T) {
	for _, period := range []time.Duration{time.Minute, 7 * time.Minute, 12 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			h := newHandle(12 * time.Hour)
			l := queue.HoldAtMost(h, 1, period, 12*time.Hour)
			start := time.Now()
			<-l.Context().Done()
			if d := time.Since(start); d > 12*time.Hour || d < 12*time.Hour-2*time.Second {
				t.Errorf("period %s: the lease ended after %s", period, d)
			}
			cause := context.Cause(l.Context())
			if !errors.Is(cause, pipeline.ErrLeaseLost) || !strings.Contains(cause.Error(), "held for 12h0m0s") {
				t.Errorf("period %s: the cause is %v", period, cause)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.beyond(start.Add(12 * time.Hour)) {
				t.Errorf("period %s: the queue was asked to hold the message beyond the limit", period)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		h := newHandle(time.Hour)
		l := queue.HoldAtMost(h, 1, time.Hour, 12*time.Hour)
		time.Sleep(10 * time.Hour)
		if err := l.Nack(t.Context(), 5*time.Hour); err != nil || h.count("nack after 1h59m59s") != 1 {
			t.Errorf("error is %v, calls are %v", err, h.calls)
		}
	})
}
