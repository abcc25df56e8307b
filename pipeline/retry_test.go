package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestRetryWaits(t *testing.T) {
	for _, tc := range []struct {
		name   string
		retry  pipeline.Retry
		bounds []time.Duration // of the waits
	}{
		{"default", pipeline.Retry{}, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}},
		{"bounded", pipeline.Retry{Max: 5, Initial: time.Second, Longest: 3 * time.Second},
			[]time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second, 3 * time.Second}},
		{"initial above longest", pipeline.Retry{Max: 2, Initial: time.Minute, Longest: time.Second}, []time.Duration{time.Second, time.Second}},
		{"once", pipeline.Retry{Max: 1}, []time.Duration{500 * time.Millisecond}},
		{"never", pipeline.Retry{Max: -1}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const messages = 20
				var mu sync.Mutex
				calls := make(map[string][]time.Time)
				p := start(t, func(_ context.Context, e pipeline.Event) error {
					mu.Lock()
					defer mu.Unlock()
					calls[e.Object.Key] = append(calls[e.Object.Key], time.Now())
					return errors.New("503")
				}, func(c *pipeline.Config) { c.Retry, c.MaxDeliveries = tc.retry, 1 })
				for i := range messages {
					key := fmt.Sprint(i)
					p.queue.send(key, key)
				}
				p.settle()

				waits := make([]map[time.Duration]bool, len(tc.bounds))
				for key, at := range calls {
					if len(at) != len(tc.bounds)+1 {
						t.Fatalf("%s was handled %d times, want %d", key, len(at), len(tc.bounds)+1)
					}
					for i, bound := range tc.bounds {
						wait := at[i+1].Sub(at[i])
						if wait < bound/2 || wait > bound {
							t.Errorf("wait %d is %s, want between %s and %s", i, wait, bound/2, bound)
						}
						if waits[i] == nil {
							waits[i] = make(map[time.Duration]bool)
						}
						waits[i][wait] = true
					}
				}
				for i, different := range waits {
					if len(different) < messages/2 {
						t.Errorf("only %d different waits %d of %d: no jitter", len(different), i, messages)
					}
				}
			})
		})
	}
}

func TestRetrySucceedsWithinOneDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := errors.New("503")
		handle, calls := answering(map[string][]error{"a": {fail, fail, fail, fail}})
		p := start(t, handle, maxDeliveries(1))
		p.queue.send("m", "a")
		p.settle()
		p.wantSettled(t, acked("m", 1))
		if n := calls.of("a"); n != 5 {
			t.Errorf("handled %d times, want 5", n)
		}
		if d := p.delivery(t, 0); d.Err != nil || d.Fate != pipeline.Acked || d.Duration < time.Second {
			t.Errorf("observed %s %v after %s, want plain success that took its time", d.Fate, d.Err, d.Duration)
		}
	})
}

// Permanent and superseded errors are not retried.
func TestRetryOnlyTransientErrors(t *testing.T) {
	for name, err := range map[string]error{
		"permanent":  pipeline.Permanent(errors.New("no room")),
		"superseded": pipeline.ErrMissing,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handle, calls := answering(map[string][]error{"a": {err}})
				p := start(t, handle)
				p.queue.send("m", "a")
				p.settle()
				p.wantSettled(t, acked("m", 1))
				if n := calls.of("a"); n != 1 {
					t.Errorf("handled %d times, want once", n)
				}
			})
		})
	}
}

func TestRetryOnlyFailedEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := errors.New("503")
		handle, calls := answering(map[string][]error{
			"flaky":  {fail, fail},
			"gone":   {pipeline.ErrMissing},
			"broken": {pipeline.Permanent(errors.New("no room"))},
		})
		p := start(t, handle)
		p.queue.send("m", "good\nflaky\n?other\ngone\nbroken\nlast")
		p.settle()
		p.wantSettled(t, acked("m", 1))
		want := map[string]int{"good": 1, "flaky": 3, "gone": 1, "broken": 1, "last": 1}
		if diff := cmp.Diff(want, calls.n); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if got, want := p.deadLetter(t, "m").Metadata.Get(pipeline.MetadataReason), "1 of 6 events: inbox/broken: no room"; got != want {
			t.Errorf("reason is %q, want %q", got, want)
		}
	})
}

// A wait before a retry ends with the lease of the message or with the pipeline. The message goes back to the queue
// with the last error.
func TestRetryWaitIsCancelled(t *testing.T) {
	lost := errors.New("lease lost")
	for name, cancel := range map[string]func(*pipe){
		"lease": func(p *pipe) { p.queue.loseLease("m", lost) },
		"stop":  func(p *pipe) { p.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handle, calls := answering(map[string][]error{"a": {errors.New("503")}})
				p := start(t, handle, maxDeliveries(1), func(c *pipeline.Config) { c.Retry.Initial, c.Retry.Longest = time.Minute, time.Minute })
				began := time.Now()
				p.queue.send("m", "a")
				synctest.Wait()
				p.wantSettled(t)
				cancel(p)
				synctest.Wait()

				p.wantSettled(t, nacked("m", 1))
				if since := time.Since(began); since != 0 {
					t.Errorf("settled after %s, want at once", since)
				}
				if n := calls.of("a"); n != 1 {
					t.Errorf("handled %d times, want once", n)
				}
				if d := p.delivery(t, 0); d.Err == nil || d.Err.Error() != "503" {
					t.Errorf("observed %v, want what had failed", d.Err)
				}
				if n := len(p.dead.letters()); n != 0 {
					t.Errorf("%d dead letters of our own stop", n)
				}
				p.wantStopped(t)
			})
		})
	}
}
