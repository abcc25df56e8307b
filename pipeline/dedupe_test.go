package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

// repeats returns a handler that notes which events came marked as repeated, and then calls handle.
func repeats(handle pipeline.Handler) (pipeline.Handler, func(t *testing.T, want ...bool)) {
	var mu sync.Mutex
	var got []bool
	note := func(ctx context.Context, e pipeline.Event) error {
		mu.Lock()
		got = append(got, e.Repeated)
		mu.Unlock()
		return handle(ctx, e)
	}
	return note, func(t *testing.T, want ...bool) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("repeated (-want +got):\n%s", diff)
		}
	}
}

// gate is a handler whose calls wait until the test lets them return. It counts the calls that wait.
type gate struct {
	calls
	inside atomic.Int32
	pass   chan error // an element lets one call return it
}

func newGate() *gate { return &gate{pass: make(chan error)} }

func (g *gate) handle(ctx context.Context, e pipeline.Event) error {
	g.add(e.Object.Key + "#" + e.Object.Sequencer)
	g.inside.Add(1)
	defer g.inside.Add(-1)
	select {
	case err := <-g.pass:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestRepeated: an event is handled each time that it comes. After the first time it is marked, whatever became
// of that.
func TestRepeated(t *testing.T) {
	for name, failure := range map[string]error{
		"done":       nil,
		"transient":  errors.New("503"),
		"superseded": pipeline.ErrArchived,
		"permanent":  pipeline.Permanent(errors.New("no room")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handle, _ := answering(map[string][]error{"a": {failure}})
				handle, want := repeats(handle)
				p := start(t, handle, withoutRetry)
				p.queue.send("m", "a#1")
				p.settle()
				p.queue.send("again", "a#1")
				p.settle()
				p.queue.send("other", "a#2")
				p.settle()
				if name == "transient" {
					p.wantSettled(t, nacked("m", 1), acked("m", 2), acked("again", 1), acked("other", 1))
					want(t, false, true, true, false)
				} else {
					p.wantSettled(t, acked("m", 1), acked("again", 1), acked("other", 1))
					want(t, false, true, false)
				}
			})
		})
	}
}

// Another worker had the first delivery.
func TestRedeliveryIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handle, want := repeats(always(nil))
		p := start(t, handle)
		p.queue.put(&letter{id: "m", body: "a#1", deliveries: 1})
		p.settle()
		p.wantSettled(t, acked("m", 2))
		want(t, true)
	})
}

// The second of two simultaneous deliveries is acked only after the first is done.
func TestTwoDeliveriesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		p := start(t, g.handle)
		p.queue.send("m1", "a#1")
		synctest.Wait()
		p.queue.send("m2", "a#1")
		synctest.Wait()
		if n := g.of("a#1"); n != 1 {
			t.Fatalf("%d handlers of one object at once", n)
		}
		p.wantSettled(t)

		g.pass <- nil
		synctest.Wait()
		p.wantSettled(t, acked("m1", 1))
		g.pass <- nil
		synctest.Wait()
		p.wantSettled(t, acked("m1", 1), acked("m2", 1))
	})
}

func TestSecondDeliveryTakesOverWhenTheFirstFails(t *testing.T) {
	for _, name := range []string{"error", "panic"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate()
				p := start(t, func(ctx context.Context, e pipeline.Event) error {
					err := g.handle(ctx, e)
					if err != nil && name == "panic" {
						panic(err)
					}
					return err
				}, withoutRetry)
				p.queue.send("m1", "a#1")
				synctest.Wait()
				p.queue.send("m2", "a#1")
				synctest.Wait()
				g.pass <- errors.New("503")
				synctest.Wait()
				p.wantSettled(t, nacked("m1", 1))
				if n := g.of("a#1"); n != 2 || g.inside.Load() != 1 {
					t.Fatalf("handled %d times with %d at work, want the second at it", n, g.inside.Load())
				}
				g.pass <- nil
				p.settle()
				p.wantSettled(t, nacked("m1", 1), acked("m2", 1))
				g.pass <- nil // m1 may have left something half-done
				p.settle()
				p.wantSettled(t, nacked("m1", 1), acked("m2", 1), acked("m1", 2))
			})
		})
	}
}

func TestOneObjectAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		p := start(t, g.handle)
		for _, event := range []string{"a#1", "a#2", "b#1"} {
			p.queue.send(event, event)
		}
		synctest.Wait()
		if n := g.inside.Load(); n != 2 {
			t.Fatalf("%d handlers at work, want one for each of two objects", n)
		}
		for range 3 {
			g.pass <- nil
			synctest.Wait()
		}
		if diff := cmp.Diff(map[string]int{"a#1": 1, "a#2": 1, "b#1": 1}, g.n); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		p.wantStopped(t)
	})
}

// Messages with the same objects in different orders neither overlap nor deadlock.
func TestManyMessagesOfFewObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages = 60
		keys := []string{"a", "b", "c", "d", "e"}
		working := make(map[string]*atomic.Int32)
		for _, key := range keys {
			working[key] = new(atomic.Int32)
		}
		var calls calls
		p := start(t, func(_ context.Context, e pipeline.Event) error {
			n := working[e.Object.Key]
			if n.Add(1) > 1 {
				t.Errorf("two handlers of %s at once", e.Object.Key)
			}
			defer n.Add(-1)
			time.Sleep(time.Millisecond)
			if calls.add(e.Object.Key+e.Object.Sequencer) == 1 {
				return errors.New("503")
			}
			return nil
		})
		for i := range messages {
			var body strings.Builder
			for j := range keys {
				fmt.Fprintf(&body, "%s#%d\n", keys[(i+j*(1+i%4))%len(keys)], i%20)
			}
			p.queue.send(fmt.Sprint(i), body.String())
		}
		p.settle()
		if n := len(p.queue.settlements()); n != messages {
			t.Errorf("%d deliveries settled, want %d", n, messages)
		}
		for i := range 20 {
			for _, key := range keys {
				if n := calls.of(key + fmt.Sprint(i)); n != 4 {
					t.Errorf("%s#%d was handled %d times, want once in each of three messages and once after its failure", key, i, n)
				}
			}
		}
	})
}

func TestWaitForAnotherDeliveryIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		p := start(t, g.handle, maxDeliveries(2))
		p.queue.send("m1", "a#1")
		synctest.Wait()
		p.queue.send("m2", "a#1")
		synctest.Wait()
		lost := errors.New("lease lost")
		p.queue.loseLease("m2", lost)
		synctest.Wait()
		p.wantSettled(t, nacked("m2", 1))
		if err := p.delivery(t, 0).Err; !errors.Is(err, lost) {
			t.Errorf("observed %v, want the cause", err)
		}
		g.pass <- nil
		p.settle()
		g.pass <- nil
		p.settle()
		p.wantSettled(t, nacked("m2", 1), acked("m1", 1), acked("m2", 2))
	})
}

func TestRepeatedWithinOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handle, want := repeats(always(nil))
		p := start(t, handle)
		p.queue.send("m", "a#1\na#1")
		synctest.Wait()
		p.wantSettled(t, acked("m", 1))
		want(t, false, true)
	})
}

// An event without an identity is never known to be repeated.
func TestEventsWithoutIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handle, want := repeats(always(nil))
		p := start(t, handle)
		p.queue.send("m1", "a")
		p.queue.send("m2", "a")
		p.settle()
		want(t, false, false)
	})
}

// Old events are forgotten, oldest first.
func TestMemoryOfEventsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const remembered = 16384
		var body strings.Builder
		for i := range remembered + 2 {
			fmt.Fprintf(&body, "k%d#1\n", i)
		}
		var repeated []string
		p := start(t, func(_ context.Context, e pipeline.Event) error {
			if e.Repeated {
				repeated = append(repeated, e.Object.Key)
			}
			return nil
		})
		p.queue.send("many", body.String())
		p.settle()
		p.queue.send("again", fmt.Sprintf("k%d#1\nk2#1\nk1#1\nk0#1", remembered+1))
		p.settle()
		if diff := cmp.Diff([]string{fmt.Sprint("k", remembered+1), "k2"}, repeated); diff != "" {
			t.Errorf("repeated (-want +got):\n%s", diff)
		}
	})
}

// TestShardsRunSideBySide: shards of one bucket do not wait for each other, a second delivery of a shard does.
func TestShardsRunSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		p := start(t, g.handle)
		for i, body := range []string{"%a", "%m", "%a"} {
			p.queue.send(fmt.Sprint("m", i), body)
		}
		synctest.Wait()
		if n := g.inside.Load(); n != 2 {
			t.Errorf("%d shards in work, want 2", n)
		}
		for range 3 {
			g.pass <- nil
		}
	})
}
