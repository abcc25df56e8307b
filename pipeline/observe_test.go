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

func TestFates(t *testing.T) {
	flaky := errors.New("503")
	superseded := func(err error) error { return fmt.Errorf("open a: %w", err) }
	for _, tc := range []struct {
		name   string
		body   string
		handle error
		fate   pipeline.Fate // of the first delivery
		acked  bool
		log    string
		level  string
	}{
		{"done", "a", nil, pipeline.Acked, true, "message handled", "DEBUG"},
		{"no events", "", flaky, pipeline.Acked, true, "message handled", "DEBUG"},
		{"unknown kind", "?a", flaky, pipeline.Acked, true, "message handled", "DEBUG"},
		{"not found", "a", superseded(pipeline.ErrMissing), pipeline.Acked, true, "message superseded", "INFO"},
		{"changed", "a", superseded(pipeline.ErrMissing), pipeline.Acked, true, "message superseded", "INFO"},
		{"archived", "a", superseded(pipeline.ErrArchived), pipeline.Acked, true, "message superseded", "INFO"},
		{"own record", "a", superseded(pipeline.ErrOwnRecord), pipeline.Acked, true, "message superseded", "INFO"},
		{"filtered", "a", superseded(pipeline.ErrFiltered), pipeline.Acked, true, "message superseded", "INFO"},
		{"transient", "a", flaky, pipeline.Nacked, false, "message goes back to the queue", "WARN"},
		{"permanent", "a", pipeline.Permanent(flaky), pipeline.DeadLettered, true, "message dead-lettered", "ERROR"},
		{"undecodable", "!garbage", nil, pipeline.DeadLettered, true, "message dead-lettered", "ERROR"},
		{"decoder panics", "!panic", nil, pipeline.Nacked, false, "message goes back to the queue", "WARN"},
		{"handled but one", "a\n?b\nc", superseded(pipeline.ErrFiltered), pipeline.Acked, true, "message superseded", "INFO"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t, always(tc.handle), withoutRetry)
				p.queue.send("m", tc.body)
				synctest.Wait()

				p.wantSettled(t, settlement{"m", 1, tc.acked})
				if diff := cmp.Diff([]pipeline.Fate{tc.fate}, p.fates("m")); diff != "" {
					t.Errorf("fates (-want +got):\n%s", diff)
				}
				lines := p.log.of(t, "m")
				if len(lines) != 1 || lines[0]["msg"] != tc.log || lines[0]["level"] != tc.level {
					t.Errorf("logged %v, want one line %s %q", lines, tc.level, tc.log)
				}
			})
		})
	}
}

// An observer can distinguish events that were done and failures.
func TestObserverSeesEveryEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := fmt.Errorf("open gone: %w", pipeline.ErrMissing)
		broken := errors.New("503")
		handle, _ := answering(map[string][]error{"gone": {gone}, "broken": {broken}})
		p := start(t, handle, withoutRetry)
		p.queue.send("m1", "done#1")
		synctest.Wait()
		p.queue.send("m2", "done#1\nnew#1\n?other#1\ngone#1\nbroken#1")
		p.settle()
		p.wantSettled(t, acked("m1", 1), nacked("m2", 1), acked("m2", 2))

		type seen struct {
			Key string
			Err error
		}
		var got [][]seen
		for _, d := range p.observed() {
			var events []seen
			for _, h := range d.Events {
				events = append(events, seen{h.Event.Object.Key, h.Err})
			}
			got = append(got, events)
		}
		want := [][]seen{
			{{"done", nil}},
			{{"done", nil}, {"new", nil}, {"other", nil}, {"gone", gone}, {"broken", broken}},
			{{"done", nil}, {"new", nil}, {"other", nil}, {"gone", nil}, {"broken", nil}},
		}
		sameError := cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) && errors.Is(b, a) })
		if diff := cmp.Diff(want, got, sameError); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if d := p.delivery(t, 1); d.Attempt != 1 || !errors.Is(d.Err, broken) || errors.Is(d.Err, gone) {
			t.Errorf("delivery %d failed with %v, want the failure that made it go back", d.Attempt, d.Err)
		}
		if d := p.delivery(t, 2); d.Attempt != 2 || d.Err != nil {
			t.Errorf("delivery %d: %v, want the second without an error", d.Attempt, d.Err)
		}
	})
}

// A script or a test that waits for a line of the log finds in the metrics what the line tells.
func TestObserverRunsBeforeTheLogAndTheAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called, goOn := make(chan struct{}), make(chan struct{})
		p := start(t, always(nil), func(c *pipeline.Config) {
			c.Observer.End = func(context.Context, pipeline.Delivery) { close(called); <-goOn }
		})
		p.queue.send("m", "a")
		<-called
		synctest.Wait()
		p.wantSettled(t)
		if lines := p.log.of(t, "m"); len(lines) > 0 {
			t.Errorf("logged before the observer has ended: %v", lines)
		}
		close(goOn)
		synctest.Wait()
		p.wantSettled(t, acked("m", 1))
		if lines := p.log.of(t, "m"); len(lines) != 1 {
			t.Errorf("logged %v, want one line", lines)
		}
	})
}

func TestBrokenObserverDoesNotChangeTheFate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, always(nil), func(c *pipeline.Config) {
			c.Observer.End = func(context.Context, pipeline.Delivery) { panic("no such counter") }
		})
		p.queue.send("m", "a")
		p.settle()
		p.wantSettled(t, acked("m", 1))
		if !strings.Contains(p.log.text(), `"msg":"observer failed","err":"panic: no such counter","stack":`) {
			t.Errorf("the panic is not in the log:\n%s", p.log.text())
		}
	})
}

// The log has one line for each delivery, with fixed keys and without the payload.
func TestLogLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := errors.New("503")
		handle, _ := answering(map[string][]error{"a": {fail}, "c": {nil, fail}})
		p := start(t, handle, withoutRetry, func(c *pipeline.Config) {
			c.Decode = func(body []byte, attributes map[string]string) ([]pipeline.Event, error) {
				keys, _, _ := strings.Cut(string(body), "|")
				events, err := decode([]byte(keys), attributes)
				for i := range events {
					events[i].Object.VersionID = "v" + events[i].Object.Key
				}
				return events, err
			}
		})
		p.queue.send("one", "a#1|secret payload")
		p.queue.send("several", "b#1\nc#1\nc#2|secret payload")
		p.queue.send("shard", "%m|secret payload")
		p.settle()
		p.wantStopped(t)

		type line map[string]any
		want := map[string][]line{
			"one": {
				{"level": "WARN", "msg": "message goes back to the queue", "attempt": 1.0, "err": "503", "events": 1.0, "key": "a", "version_id": "va"},
				{"level": "DEBUG", "msg": "message handled", "attempt": 2.0, "events": 1.0, "key": "a", "version_id": "va"},
			},
			"several": {
				{"level": "WARN", "msg": "message goes back to the queue", "attempt": 1.0, "err": "1 of 3 events: inbox/c: 503", "events": 3.0, "key": "c", "version_id": "vc"},
				{"level": "DEBUG", "msg": "message handled", "attempt": 2.0, "events": 3.0, "key": "b", "version_id": "vb"},
			},
			"shard": {
				{"level": "DEBUG", "msg": "message handled", "attempt": 1.0, "events": 1.0, "key": "", "version_id": "v", "shard": `shard of pass p: inbox after "m" through ""`},
			},
		}
		for id, lines := range want {
			var got []line
			for _, l := range p.log.of(t, id) {
				if _, ok := l["duration"].(float64); !ok {
					t.Errorf("no duration in %v", l)
				}
				if l["bucket"] != bucket {
					t.Errorf("bucket of %v is not %q", l, bucket)
				}
				for _, k := range []string{"duration", "time", "bucket", "message_id"} {
					delete(l, k)
				}
				got = append(got, l)
			}
			if diff := cmp.Diff(lines, got); diff != "" {
				t.Errorf("lines of %s (-want +got):\n%s", id, diff)
			}
		}
		if text := p.log.text(); strings.Contains(text, "secret") || strings.Contains(text, "mem://") {
			t.Errorf("a payload or a URL, which may hold a password, is in the log:\n%s", text)
		} else if n := strings.Count(text, "\n"); n != 6 { // five deliveries and the drain
			t.Errorf("%d lines logged, want 6:\n%s", n, text)
		}
	})
}

// Each missing object has a line of its own, also if its message names others.
func TestLogNamesMissingObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := fmt.Errorf("look: %w", pipeline.ErrMissing)
		handle, _ := answering(map[string][]error{"a": {gone}, "b": {gone, gone}, "d": {gone}, "e": {errors.New("503")}, "f": {fmt.Errorf("f: %w", pipeline.ErrArchived)}})
		p := start(t, handle, withoutRetry)
		p.queue.send("alone", "a")
		p.queue.send("beside", "c\nd\nf")
		p.queue.send("again", "b\ne")
		p.settle()
		p.wantStopped(t)
		for id, want := range map[string][]string{
			"alone":  {"INFO message superseded a missing"},
			"beside": {"INFO message superseded d missing", "INFO event superseded d missing"},
			"again":  {"WARN message goes back to the queue e <nil>", "INFO message superseded b missing", "INFO event superseded b missing"},
		} {
			var got []string
			for _, l := range p.log.of(t, id) {
				got = append(got, fmt.Sprint(l["level"], " ", l["msg"], " ", l["key"], " ", l["reason"]))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("lines of %s (-want +got):\n%s", id, diff)
			}
		}
	})
}

func TestWithoutObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, func(context.Context, pipeline.Event) error { return nil }, func(c *pipeline.Config) {
			c.Observer, c.Log = pipeline.Observer{}, nil
		})
		p.queue.send("m", "a")
		synctest.Wait()
		p.wantSettled(t, acked("m", 1))
	})
}
