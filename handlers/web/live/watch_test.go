package live_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/live/livetest"
	"github.com/bucketsum/bucketsum/pipeline"
)

// received returns what a watch has, one line for each event.
func received(t *testing.T, w *live.Watch) []string {
	t.Helper()
	select {
	case <-w.Changed():
	default:
		return nil
	}
	var lines []string
	for _, text := range w.Next() {
		for _, e := range strings.SplitAfter(string(text), "\n\n") {
			if e == "" {
				continue
			}
			kind, data, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(e, "event: "), "\n\n"), "\ndata: ")
			var fields struct {
				Key         string
				Outcome     string
				Reason      string
				Count       int64
				Totals      live.Totals
				InWorkCount int   `json:"in_work_count"`
				InWorkRead  int64 `json:"in_work_read"`
			}
			if err := json.Unmarshal([]byte(data), &fields); err != nil || !ok {
				t.Errorf("event %q: %v", e, err)
			}
			switch kind {
			case "result":
				lines = append(lines, fmt.Sprint("result ", fields.Key, " ", fields.Outcome))
			case "failure":
				lines = append(lines, fmt.Sprint("failure ", fields.Key, " ", fields.Reason))
			case "status":
				lines = append(lines, fmt.Sprint("status summed ", fields.Totals.Summed, " failed ", fields.Totals.Failed,
					" in work ", fields.InWorkCount, " read ", fields.InWorkRead))
			case "missed":
				lines = append(lines, fmt.Sprint("missed ", fields.Count))
			default:
				t.Errorf("event of kind %q", kind)
			}
		}
	}
	return lines
}

func expect(t *testing.T, w *live.Watch, when string, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, received(t, w)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func watch(t *testing.T, a *live.Activity, kinds live.Kinds) *live.Watch {
	t.Helper()
	w, ok := a.Watch(kinds)
	if !ok {
		t.Fatal("there are too many watches")
	}
	return w
}

func record(t *testing.T, a *live.Activity, key string) {
	livetest.Publish(t, a, livetest.Result(pipeline.Recorded, livetest.Object(key, 1)))
}

// TestWatch: results and failures in their order, soon; the state at once, and at most once a second if it has changed.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		record(t, a, "before")
		all, state := watch(t, a, live.AllEvents), watch(t, a, live.StatusOnly)
		defer all.Close()
		defer state.Close()
		expect(t, all, "at first", "status summed 1 failed 0 in work 0 read 0")
		expect(t, state, "at first", "status summed 1 failed 0 in work 0 read 0")
		time.Sleep(time.Hour)
		expect(t, all, "without work")
		expect(t, state, "without work")

		record(t, a, "a")
		livetest.End(t, a, livetest.Delivery(pipeline.Nacked, "late", errors.New("denied")))
		a.Fail(livetest.Object("odd", pipeline.UnknownSize), "not UTF-8")
		record(t, a, "\u202e")
		time.Sleep(250 * time.Millisecond)
		now := "status summed 3 failed 1 in work 0 read 0"
		expect(t, all, "after work", "result a recorded", "failure late denied", "failure odd not UTF-8", "result \u202e recorded", now)
		expect(t, state, "after work", now)

		for i := range 4 { // the state follows after a second only
			record(t, a, fmt.Sprint(i))
			time.Sleep(250 * time.Millisecond)
			want := []string{fmt.Sprintf("result %d recorded", i)}
			if i == 3 {
				want = append(want, "status summed 7 failed 1 in work 0 read 0")
				expect(t, state, "a second later", want[1])
			} else {
				expect(t, state, "before a second is over")
			}
			expect(t, all, "each tick", want...)
		}

		r, err := a.Observer().Bucket(pipeline.Bucket{Source: livetest.Source{}}).Source.Open(t.Context(), livetest.Object("big", 1<<30))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, r, 1000); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		expect(t, state, "while an object is read", "status summed 7 failed 1 in work 1 read 1000")
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestWatchEscapes: characters that a terminal would interpret are escaped, as in every answer.
func TestWatchEscapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		w := watch(t, a, live.AllEvents)
		defer w.Close()
		record(t, a, "\u202e\n\r\ndata: x")
		time.Sleep(time.Second)
		for _, text := range w.Next() {
			if strings.ContainsAny(string(text), "\u202e\r") || strings.Contains(string(text), "\ndata: x") {
				t.Errorf("event is %q", text)
			}
		}
	})
}

// TestStateFollowsItsEvents: a client never reads a total before the results and failures that made it, even if they
// happen while the state is being sent.
func TestStateFollowsItsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		w := watch(t, a, live.AllEvents)
		defer w.Close()
		var seen live.Totals
		for range 20 {
			for _, wait := range []time.Duration{900 * time.Millisecond, 100 * time.Millisecond} { // wakes up with a tick
				time.Sleep(wait)
				for i := range 200 { // gathered events take the tick a while
					record(t, a, fmt.Sprint(i))
					a.Fail(livetest.Object(fmt.Sprint(i), 1), "denied")
				}
			}
			synctest.Wait()
			for _, line := range received(t, w) {
				var summed, failed int64
				switch {
				case strings.HasPrefix(line, "result "):
					seen.Summed++
				case strings.HasPrefix(line, "failure "):
					seen.Failed++
				default:
					if _, err := fmt.Sscanf(line, "status summed %d failed %d", &summed, &failed); err != nil {
						t.Fatalf("%q: %v", line, err)
					}
				}
				if summed > seen.Summed || failed > seen.Failed {
					t.Fatalf("after %d results and %d failures: %s", seen.Summed, seen.Failed, line)
				}
			}
		}
		if seen.Summed == 0 || seen.Failed == 0 {
			t.Error("the watch has nothing")
		}
	})
}

// TestWatchBeginsExactly: each result is in the first total of a watch or an event for it, whenever the watch begins,
// and no later total is less.
func TestWatchBeginsExactly(t *testing.T) {
	for _, others := range []int{0, 1} {
		t.Run(fmt.Sprint(others, " other watches"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := live.NewActivity()
				for range others {
					defer watch(t, a, live.AllEvents).Close()
				}
				for range 60 {
					time.Sleep(time.Second) // wakes up with a tick
					go func() {
						for i := range 50 {
							record(t, a, fmt.Sprint(i))
						}
					}()
					w := watch(t, a, live.AllEvents)
					var first, results, last int64
					for more := true; more; {
						time.Sleep(250 * time.Millisecond)
						synctest.Wait()
						more = false
						for _, line := range received(t, w) {
							more = true
							if strings.HasPrefix(line, "result ") {
								results++
								continue
							}
							before := last
							if _, err := fmt.Sscanf(line, "status summed %d", &last); err != nil || last < before {
								t.Fatalf("%q after %d: %v", line, before, err)
							}
							if before == 0 && results == 0 {
								first = last
							}
						}
					}
					if last > first+results {
						t.Fatalf("%d at first, %d results, %d at last", first, results, last)
					}
					w.Close()
				}
			})
		})
	}
}

// TestWatchIsLate: what a watch misses is counted, whether it was too much at once or the watch was away for too long.
func TestWatchIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		quick, late := watch(t, a, live.AllEvents), watch(t, a, live.AllEvents)
		defer quick.Close()
		defer late.Close()
		expect(t, late, "at first", "status summed 0 failed 0 in work 0 read 0")
		long := strings.Repeat("k", 4000)
		for name, of := range map[string]struct{ events, key int }{"many": {2500, 1}, "large": {200, 4000}} {
			for range of.events {
				record(t, a, long[:of.key])
			}
			time.Sleep(250 * time.Millisecond)
			synctest.Wait()
			results, missed, size := 0, 0, 0
			for _, text := range quick.Next() {
				size += len(text)
				results += strings.Count(string(text), "event: result")
				if _, n, ok := strings.Cut(string(text), "event: missed\ndata: {\"count\":"); ok {
					if _, err := fmt.Sscan(n, &missed); err != nil {
						t.Fatal(err)
					}
				}
			}
			if results == 0 || results > 1000 || results+missed != of.events || size > 260<<10 {
				t.Errorf("%s: %d results and %d missed of %d, %d bytes", name, results, missed, of.events, size)
			}
		}
		for i := range 20 {
			record(t, a, fmt.Sprint(i))
			time.Sleep(500 * time.Millisecond)
		}
		synctest.Wait()
		got := received(t, late)
		if len(got) != 1+16+1 || got[0] != "missed 2704" || got[1] != "result 4 recorded" || got[16] != "result 19 recorded" {
			t.Errorf("the late watch has %q", got)
		}
	})
}

// TestWatchesAreLimited: a closed watch makes room.
func TestWatchesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		var all []*live.Watch
		for range live.MaxWatches {
			all = append(all, watch(t, a, live.AllEvents))
		}
		if _, ok := a.Watch(live.StatusOnly); ok {
			t.Error("there is one watch too many")
		}
		all[7].Close()
		all[7] = watch(t, a, live.StatusOnly)
		for _, w := range all {
			w.Close()
		}
	})
}

// TestNoWatchNoWork: an event costs no more memory before and after a watch, and a watch begins with what is new.
func TestNoWatchNoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		observer := a.Observer()
		r := livetest.Result(pipeline.Removed, livetest.Object("a", 1))
		cost := func() float64 {
			return testing.AllocsPerRun(1000, func() { observer.Result(t.Context(), r, nil) })
		}
		never := cost()
		w := watch(t, a, live.AllEvents)
		watched := cost()
		w.Close()
		if after := cost(); after != never || watched <= never {
			t.Errorf("an event costs %v allocations, %v with a watch, %v after it", never, watched, after)
		}
		again := watch(t, a, live.AllEvents)
		expect(t, again, "after a watch has ended", "status summed 0 failed 0 in work 0 read 0")
		again.Close()
		time.Sleep(time.Minute)
		if got := received(t, again); got != nil {
			t.Errorf("a closed watch has %q", got)
		}
	})
}
