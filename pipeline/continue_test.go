package pipeline_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

// again sends continuations to the queue of their message.
type again struct {
	queue func() *queue
	fail  func(n int) error // called before message n is sent, from 1
	sent  atomic.Int32
}

func (a *again) Publish(_ string, messages ...*message.Message) error {
	for _, m := range messages {
		n := int(a.sent.Add(1))
		if a.fail != nil {
			if err := a.fail(n); err != nil {
				return err
			}
		}
		var metadata []string
		for k, v := range m.Metadata {
			metadata = append(metadata, k, v)
		}
		a.queue().send("slice-"+strconv.Itoa(n), string(m.Payload), metadata...)
	}
	return nil
}

func (a *again) Close() error { return nil }

// startSliced starts a pipeline with continuations.
func startSliced(t *testing.T, a *again, handle pipeline.Handler) *pipe {
	var p *pipe
	a.queue = func() *queue { return p.queue }
	p = start(t, handle, func(c *pipeline.Config) {
		c.Continuations = pipeline.Continuations{Publisher: a, Topic: "mem://objects"}
		c.MaxDeliveries = 3
	})
	return p
}

func TestContinued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		p := startSliced(t, &again{}, func(context.Context, pipeline.Event) error {
			if n := calls.Add(1); n < 4 {
				return pipeline.Unfinished(n * 100)
			}
			return nil
		})
		p.queue.send("first", "big#1", "traceparent", "00-1-2-01", pipeline.MetadataAttempt, "7")
		p.settle()
		// A continuation is sent before its message is acked, so that it may overtake it.
		for id, want := range map[string]pipeline.Fate{
			"first": pipeline.Continued, "slice-1": pipeline.Continued, "slice-2": pipeline.Continued, "slice-3": pipeline.Acked,
		} {
			if diff := cmp.Diff([]pipeline.Fate{want}, p.fates(id)); diff != "" {
				t.Errorf("%s: %s", id, diff)
			}
		}
		for _, s := range p.queue.settlements() {
			if !s.Acked || s.Attempt != 1 {
				t.Errorf("%+v", s)
			}
		}
		if n := len(p.queue.settlements()); n != 4 {
			t.Errorf("%d settlements", n)
		}
		if n := calls.Load(); n != 4 {
			t.Errorf("handled %d times", n)
		}
	})
}

// TestContinuation checks the message of a continuation.
func TestContinuation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := &deadLetters{}
		p := start(t, func(context.Context, pipeline.Event) error { return pipeline.Unfinished(70) }, func(c *pipeline.Config) {
			c.Continuations = pipeline.Continuations{Publisher: sent, Topic: "mem://objects"}
		})
		p.queue.send("first", "big#1", "traceparent", "00-1-2-01", pipeline.MetadataSlice, "4", pipeline.MetadataProgress, "0/69")
		p.settle()
		if len(sent.kept) != 1 {
			t.Fatalf("%d messages", len(sent.kept))
		}
		m := sent.kept[0]
		want := message.Metadata{"traceparent": "00-1-2-01", "topic": "mem://objects", pipeline.MetadataSlice: "5", pipeline.MetadataProgress: "0/70"}
		if diff := cmp.Diff(want, m.Metadata); diff != "" || string(m.Payload) != "big#1" || m.UUID == "first" || m.UUID == "" {
			t.Errorf("%q, %q: %s", m.UUID, m.Payload, diff)
		}
	})
}

// TestNoProgress shows that slices without progress are limited like failures.
func TestNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &again{}
		p := startSliced(t, a, func(context.Context, pipeline.Event) error { return pipeline.Unfinished(100) })
		p.queue.send("first", "big#1")
		p.settle()
		if n := a.sent.Load(); n != 1 {
			t.Errorf("%d continuations", n)
		}
		want := []pipeline.Fate{pipeline.Nacked, pipeline.Nacked, pipeline.DeadLettered}
		if diff := cmp.Diff(want, p.fates("slice-1")); diff != "" {
			t.Error(diff)
		}
	})
}

// TestContinuationNotSent shows that a message stays in the queue until its continuation is sent.
func TestContinuationNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &again{fail: func(n int) error {
			if n < 3 {
				return errors.New("the queue is down")
			}
			return nil
		}}
		var calls atomic.Int64
		p := startSliced(t, a, func(context.Context, pipeline.Event) error {
			if n := calls.Add(1); n < 4 {
				return pipeline.Unfinished(n)
			}
			return nil
		})
		p.queue.send("first", "big#1")
		p.settle()
		if diff := cmp.Diff([]pipeline.Fate{pipeline.Nacked, pipeline.Nacked, pipeline.Continued}, p.fates("first")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]pipeline.Fate{pipeline.Acked}, p.fates("slice-3")); diff != "" {
			t.Error(diff)
		}
		if n := len(p.queue.settlements()); n != 4 {
			t.Errorf("%d settlements: %+v", n, p.queue.settlements())
		}
	})
}

// TestContinuedBesideOthers shows the fate of a message with one unfinished event among others.
func TestContinuedBesideOthers(t *testing.T) {
	for name, tc := range map[string]struct {
		other error // the error of the other event
		first pipeline.Fate
	}{
		"done":      {nil, pipeline.Continued},
		"gone":      {pipeline.ErrMissing, pipeline.Continued},
		"permanent": {pipeline.Permanent(errors.New("never")), pipeline.Continued},
		"transient": {errors.New("the network"), pipeline.Nacked},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cut atomic.Int64
				p := startSliced(t, &again{}, func(_ context.Context, e pipeline.Event) error {
					if e.Object.Key == "other" {
						return tc.other
					}
					if n := cut.Add(1); n < 3 {
						return pipeline.Unfinished(n)
					}
					return nil
				})
				p.queue.send("first", "big#1\nother#2")
				p.settle()
				if got := p.fates("first")[0]; got != tc.first {
					t.Errorf("got %s, want %s", got, tc.first)
				}
				if n := cut.Load(); n < 3 {
					t.Errorf("the event that was cut was handled %d times", n)
				}
				_, dead := p.dead.letters()["slice-2"]
				if permanent := pipeline.Classify(tc.other) == pipeline.ClassPermanent; dead != permanent {
					t.Errorf("dead-lettered at the end: %v", dead)
				}
			})
		})
	}
}

// TestUnfinishedWithoutQueue shows that unfinished work is not lost without continuations.
func TestUnfinishedWithoutQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		p := start(t, func(context.Context, pipeline.Event) error {
			if n := calls.Add(1); n < 3 {
				return pipeline.Unfinished(n)
			}
			return nil
		})
		p.queue.send("first", "big#1")
		p.settle()
		if diff := cmp.Diff([]pipeline.Fate{pipeline.Nacked, pipeline.Nacked, pipeline.Acked}, p.fates("first")); diff != "" {
			t.Error(diff)
		}
	})
}
