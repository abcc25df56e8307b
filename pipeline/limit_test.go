package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

// interrupted returns a handler whose work on an object always ends with its lease, and its calls.
func interrupted(p **pipe, key string) (pipeline.Handler, *calls) {
	c := &calls{}
	return func(ctx context.Context, e pipeline.Event) error {
		c.add(e.Object.Key)
		if e.Object.Key != key {
			return nil
		}
		(*p).queue.loseLease("m", fmt.Errorf("%w: the channel was closed", pipeline.ErrLeaseLost))
		<-ctx.Done()
		return ctx.Err()
	}, c
}

// A message whose work is interrupted each time is given up without work, by the delivery after the last permitted
// one.
func TestInterruptedIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *pipe
		handle, calls := interrupted(&p, "killer")
		g := &givenUp{}
		p = startAnnouncing(t, g, handle, maxDeliveries(3))
		p.queue.send("m", "killer")
		p.queue.send("n", "other")
		p.settle()
		p.wantSettled(t, nacked("m", 1), nacked("m", 2), nacked("m", 3), acked("m", 4), acked("n", 1))
		if got := calls.of("killer"); got != 3 {
			t.Errorf("worked on %d times, want 3", got)
		}
		reason := p.deadLetter(t, "m").Metadata.Get(pipeline.MetadataReason)
		if !strings.HasPrefix(reason, "interrupted 3 times") {
			t.Errorf("reason is %q", reason)
		}
		if got := p.deadLetter(t, "m").Metadata.Get(pipeline.MetadataAttempt); got != "4" {
			t.Errorf("attempt is %s, want 4", got)
		}
		if len(g.results) != 1 || g.results[0].Outcome != pipeline.Failed || g.results[0].Reason != reason || !g.early {
			t.Errorf("announced %+v, before the dead letter: %v", g.results, g.early)
		}
		d := p.observed()[len(p.observed())-1]
		if d.GivenUp() != pipeline.GivenUpInterrupted || len(d.Events) != 1 {
			t.Errorf("given up as %q with %d events", d.GivenUp(), len(d.Events))
		}
	})
}

// The dead letter of an interrupted message is sent again until it is stored.
func TestInterruptedIsGivenUpUnderALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handle, calls := answering(nil)
		g := &givenUp{fails: []error{errors.New("topic is down")}}
		p := startAnnouncing(t, g, handle, maxDeliveries(1))
		p.queue.put(&letter{id: "m", body: "a", deliveries: 1})
		p.settle()
		p.wantSettled(t, nacked("m", 2), acked("m", 3))
		p.deadLetter(t, "m")
		if calls.of("a") != 0 {
			t.Error("worked on")
		}
	})
}

// What asks for no work is acknowledged, however often it was delivered.
func TestNoWorkBeyondTheLimit(t *testing.T) {
	for name, body := range map[string]string{"ignored": "?odd", "no events": ""} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t, always(errors.New("503")), maxDeliveries(2))
				p.queue.put(&letter{id: "m", body: body, deliveries: 7})
				p.settle()
				p.wantSettled(t, acked("m", 8))
				if len(p.dead.letters()) != 0 {
					t.Errorf("dead letters: %v", p.dead.letters())
				}
			})
		})
	}
}

// Without a limit, or without dead letters, each delivery is worked on.
func TestNoLimit(t *testing.T) {
	for name, change := range map[string]func(*pipeline.Config){
		"no limit":        maxDeliveries(0),
		"no dead letters": func(c *pipeline.Config) { c.MaxDeliveries, c.DeadLetters = 1, pipeline.DeadLetters{} },
		"a limit of 1":    func(c *pipeline.Config) { c.QueueLimit = 1 }, // a limit of 0 would be none
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handle, calls := answering(nil)
				p := start(t, handle, change)
				p.queue.put(&letter{id: "m", body: "a", deliveries: 100})
				p.settle()
				p.wantSettled(t, acked("m", 101))
				if calls.of("a") != 1 {
					t.Error("not worked on")
				}
			})
		})
	}
}

// A limit of the queue leaves one delivery for the dead letter, which has a reason then.
func TestQueueLimit(t *testing.T) {
	for _, tc := range []struct{ most, limit, want int }{{0, 3, 2}, {2, 100, 2}, {10, 4, 3}} {
		t.Run(fmt.Sprint(tc.most, " of ", tc.limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t, always(errors.New("503")), withoutRetry, maxDeliveries(tc.most), func(c *pipeline.Config) { c.QueueLimit = tc.limit })
				p.queue.send("m", "a")
				p.settle()
				want := fmt.Sprintf("given up after %d deliveries: 503", tc.want)
				if got := p.deadLetter(t, "m").Metadata.Get(pipeline.MetadataReason); got != want {
					t.Errorf("reason is %q, want %q", got, want)
				}
			})
		})
	}
}

// The log says what becomes of a message that is not acknowledged.
func TestLogOfNackedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *pipe
		handle, _ := interrupted(&p, "killer")
		failing := func(ctx context.Context, e pipeline.Event) error {
			if e.Object.Key == "bad" {
				return errors.New("503")
			}
			return handle(ctx, e)
		}
		p = start(t, failing, withoutRetry, withoutDeadLetters, func(c *pipeline.Config) { c.QueueLimit = 3 })
		p.queue.put(&letter{id: "m", body: "killer", deliveries: 1})
		p.queue.put(&letter{id: "n", body: "bad", deliveries: 1})
		p.settle()
		for id, want := range map[string][]string{
			"m": {"WARN the lease of the message is lost: the queue delivers it again", "ERROR the queue gives up the message: this was the last delivery that it permits"},
			"n": {"WARN message goes back to the queue", "ERROR the queue gives up the message: this was the last delivery that it permits"},
		} {
			var got []string
			for _, line := range p.log.of(t, id)[:2] {
				got = append(got, fmt.Sprint(line["level"], " ", line["msg"]))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("log of %s (-want +got):\n%s", id, diff)
			}
		}
	})
}
