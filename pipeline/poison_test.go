package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestDeadLetterKeepsTheMessage(t *testing.T) {
	for _, tc := range []struct {
		name, body, reason string
		handle             error
	}{
		{"handler", "a", "save a: no room", pipeline.Permanent(errors.New("save a: no room"))},
		{"decoder", "!garbage", "not JSON", nil},
		{"wrapped mark", "a", "a: bad name", fmt.Errorf("a: %w", pipeline.Permanent(errors.New("bad name")))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t, always(tc.handle))
				p.queue.send("m", tc.body, "traceparent", "00-01")
				p.settle()

				p.wantSettled(t, acked("m", 1))
				dead := p.deadLetter(t, "m")
				want := message.Metadata{
					"traceparent":            "00-01",
					"topic":                  "mem://dead",
					pipeline.MetadataAttempt: "1",
					pipeline.MetadataReason:  tc.reason,
				}
				if diff := cmp.Diff(want, dead.Metadata); diff != "" {
					t.Errorf("metadata (-want +got):\n%s", diff)
				}
				if string(dead.Payload) != tc.body {
					t.Errorf("body is %q, want the original %q", dead.Payload, tc.body)
				}
				d := p.delivery(t, 0)
				if d.Fate != pipeline.DeadLettered || pipeline.Classify(d.Err) != pipeline.ClassPermanent {
					t.Errorf("observed %s with %v, want the error itself", d.Fate, d.Err)
				}
			})
		})
	}
}

// A subscriber may deliver the same message value again, so it must not change.
func TestMessageItselfIsNotChanged(t *testing.T) {
	for name, fail := range map[string]error{"kept": nil, "not kept": errors.New("dead-letter queue is down")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := hasty{out: make(chan *message.Message), closing: make(chan struct{})}
				p := start(t, always(pipeline.Permanent(errors.New("no room"))), func(c *pipeline.Config) { c.Subscriber = s })
				p.dead.fail = func(*message.Message) error { return fail }
				msg := message.NewMessage("m", []byte("a"))
				msg.Metadata.Set("traceparent", "00-01")
				s.out <- msg
				synctest.Wait()
				p.wantStopped(t)
				if diff := cmp.Diff(message.Metadata{"traceparent": "00-01"}, msg.Metadata); diff != "" {
					t.Errorf("metadata (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Transient and superseded messages are not dead-lettered.
func TestOnlyPermanentErrorsAreDeadLettered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handle, _ := answering(map[string][]error{
			"transient":  {errors.New("503"), errors.New("503")},
			"superseded": {pipeline.ErrMissing},
			"cancelled":  {pipeline.Permanent(context.Canceled), pipeline.Permanent(context.DeadlineExceeded)},
		})
		p := start(t, handle, withoutRetry)
		for _, key := range []string{"transient", "superseded", "cancelled", "!panic"} {
			p.queue.send(key, key)
		}
		p.settle()
		if dead := p.dead.letters(); len(dead) != 0 {
			t.Errorf("dead letters: %v", slices.Collect(maps.Keys(dead)))
		}
		if diff := cmp.Diff([]pipeline.Fate{pipeline.Nacked, pipeline.Nacked, pipeline.Acked}, p.fates("transient")); diff != "" {
			t.Errorf("fates of the transient one (-want +got):\n%s", diff)
		}
	})
}

func TestFailedDeadLetterGoesBackToTheQueue(t *testing.T) {
	down := errors.New("dead-letter queue is down")
	for _, tc := range []struct {
		name string
		fail func(*message.Message) error
	}{
		{"error", func(*message.Message) error { return down }},
		{"superseded error", func(*message.Message) error { return fmt.Errorf("topic: %w", pipeline.ErrMissing) }},
		{"permanent error", func(*message.Message) error { return pipeline.Permanent(down) }},
		{"panic", func(*message.Message) error { panic(down) }},
	} {
		for _, c := range []struct {
			name   string
			handle error
			max    int
		}{
			{"permanent", pipeline.Permanent(errors.New("no room")), 0},
			{"exhausted", errors.New("503"), 1},
		} {
			t.Run(tc.name+"/"+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := start(t, always(c.handle), withoutRetry, maxDeliveries(c.max))
					var tries calls
					p.dead.fail = func(m *message.Message) error {
						if tries.add("") == 1 {
							return tc.fail(m)
						}
						return nil
					}
					p.queue.send("m", "a")
					p.settle()
					p.wantSettled(t, nacked("m", 1), acked("m", 2))
					if diff := cmp.Diff([]pipeline.Fate{pipeline.Nacked, pipeline.DeadLettered}, p.fates("m")); diff != "" {
						t.Errorf("fates (-want +got):\n%s", diff)
					}
					if got := p.deadLetter(t, "m").Metadata.Get(pipeline.MetadataAttempt); got != "2" {
						t.Errorf("attempt of the dead letter is %s, want 2", got)
					}
				})
			})
		}
	}
}

func TestWithoutDeadLettersTheQueueDecides(t *testing.T) {
	for name, handle := range map[string]error{
		"permanent": pipeline.Permanent(errors.New("no room")),
		"transient": errors.New("503"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handle, _ := answering(map[string][]error{"a": {handle, handle}})
				p := start(t, handle, withoutRetry, withoutDeadLetters, maxDeliveries(1))
				p.queue.send("m", "a", pipeline.MetadataReason, "of an earlier time")
				p.settle()
				p.wantSettled(t, nacked("m", 1), nacked("m", 2), acked("m", 3))
				if diff := cmp.Diff([]pipeline.Fate{pipeline.Nacked, pipeline.Nacked, pipeline.Acked}, p.fates("m")); diff != "" {
					t.Errorf("fates (-want +got):\n%s", diff)
				}
				if d := p.delivery(t, 0); strings.Contains(d.Err.Error(), "given up") {
					t.Errorf("%q although it comes again", d.Err)
				}
			})
		})
	}
}

func TestMaxDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, always(errors.New("503")), withoutRetry, maxDeliveries(3))
		p.queue.send("m", "a")
		p.settle()
		p.wantSettled(t, nacked("m", 1), nacked("m", 2), acked("m", 3))
		metadata := p.deadLetter(t, "m").Metadata
		if got, want := metadata.Get(pipeline.MetadataReason), "given up after 3 deliveries: 503"; got != want {
			t.Errorf("reason is %q, want %q", got, want)
		}
		if got := metadata.Get(pipeline.MetadataAttempt); got != "3" {
			t.Errorf("attempt is %s, want 3", got)
		}
	})
}

// A message whose handler panics or always times out is given up, too.
func TestMaxDeliveriesOfTransientErrors(t *testing.T) {
	for _, tc := range []struct {
		name, body, reason string
		handle             pipeline.Handler
	}{
		{"panic", "a", "panic: index out of range", func(context.Context, pipeline.Event) error { panic("index out of range") }},
		{"decoder panics", "!panic", "panic: decoder broke", always(nil)},
		{"timeout", "a", "get a: context deadline exceeded", always(fmt.Errorf("get a: %w", context.DeadlineExceeded))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t, tc.handle, withoutRetry, maxDeliveries(2))
				p.queue.send("m", tc.body)
				p.settle()
				p.wantSettled(t, nacked("m", 1), acked("m", 2))
				want := "given up after 2 deliveries: " + tc.reason
				if got := p.deadLetter(t, "m").Metadata.Get(pipeline.MetadataReason); got != want {
					t.Errorf("reason is %q, want %q", got, want)
				}
			})
		})
	}
}

func TestRedrivenDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handle, _ := answering(map[string][]error{"bad": {pipeline.Permanent(errors.New("new reason"))}})
		p := start(t, handle)
		p.queue.send("bad", "bad", pipeline.MetadataReason, "old reason")
		p.queue.send("good", "good", pipeline.MetadataReason, "old reason")
		p.settle()
		if got := p.deadLetter(t, "bad").Metadata.Get(pipeline.MetadataReason); got != "new reason" {
			t.Errorf("reason is %q, want the new one", got)
		}
		if diff := cmp.Diff([]pipeline.Fate{pipeline.Acked}, p.fates("good")); diff != "" {
			t.Errorf("fates of the one that succeeds (-want +got):\n%s", diff)
		}
		for _, d := range p.observed() {
			if d.MessageID == "good" && d.Err != nil {
				t.Errorf("success with the old reason: %v", d.Err)
			}
		}
	})
}

// Reasons quote object names and errors of any length and content, but the attributes of queues are limited.
func TestReasonIsShortPrintableText(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"line", "a\x01b\n\tc\xff", "a\uFFFDb  c\uFFFD"},
		{"unicode", "ключ 鍵 🔑", "ключ 鍵 🔑"},
		{"long", strings.Repeat("é", 5000), strings.Repeat("é", 498) + "…"},
		{"exactly", strings.Repeat("x", 1000), strings.Repeat("x", 1000)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t, always(pipeline.Permanent(errors.New(tc.text))))
				p.queue.send("m", "a")
				synctest.Wait()
				got := p.deadLetter(t, "m").Metadata.Get(pipeline.MetadataReason)
				if got != tc.want {
					t.Errorf("reason is %q, want %q", got, tc.want)
				}
				if len(got) > 1000 || !utf8.ValidString(got) {
					t.Errorf("%d bytes, valid UTF-8: %v", len(got), utf8.ValidString(got))
				}
			})
		})
	}
}

func TestAttempt(t *testing.T) {
	for metadata, want := range map[string]int{"": 1, "1": 1, "7": 7, "0": 1, "-3": 1, "many": 1} {
		msg := message.NewMessage("m", nil)
		if metadata != "" {
			msg.Metadata.Set(pipeline.MetadataAttempt, metadata)
		}
		if got := pipeline.Attempt(msg); got != want {
			t.Errorf("Attempt of %q is %d, want %d", metadata, got, want)
		}
	}
}
