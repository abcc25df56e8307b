package handlers_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
)

func TestConfigValidate(t *testing.T) {
	s := newStore()
	for name, tc := range map[string]struct {
		config handlers.Config
		faults []string
	}{
		"complete": {
			config: handlers.Config{
				Buckets:    map[string]pipeline.Bucket{"a": {Source: s, Records: s}},
				Algorithms: []string{"md5"},
			},
		},
		"empty": {faults: []string{"no bucket"}},
		"everything": {
			config: handlers.Config{
				Buckets:    map[string]pipeline.Bucket{"b": {Source: s}, "a": {Records: s}},
				Algorithms: []string{"md6"},
			},
			faults: []string{`"a"`, `"b"`, "md6"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := handlers.New(tc.config)
			if (err == nil) != (len(tc.faults) == 0) {
				t.Fatalf("New: %v", err)
			}
			rest := ""
			if err != nil {
				rest = err.Error()
			}
			for _, fault := range tc.faults {
				_, after, ok := strings.Cut(rest, fault)
				if !ok {
					t.Errorf("%q does not name %s in its turn", err, fault)
				}
				rest = after
			}
		})
	}
}

// TestNotWork shows that events without work do not touch the store. For an excluded object only its
// record is looked up.
func TestNotWork(t *testing.T) {
	object := func(bucket, key string) pipeline.Object { return pipeline.Object{Bucket: bucket, Key: key, ETag: "e"} }
	for name, tc := range map[string]struct {
		event   pipeline.Event
		err     error // wrapped
		class   pipeline.Class
		texts   []string
		touched int // calls of the store
	}{
		"ignored":             {event: pipeline.Event{Kind: pipeline.Ignored}},
		"ignored elsewhere":   {event: pipeline.Event{Kind: pipeline.Ignored, Object: object("other", "a")}},
		"unconfigured bucket": {event: created(object("other", "a")), class: pipeline.ClassPermanent, texts: []string{`"other"`, "archive, inbox"}},
		"deleted elsewhere":   {event: deleted(object("other", "a")), class: pipeline.ClassPermanent, texts: []string{`"other"`}},
		"record":              {event: created(object(bucketName, "a.md5")), err: pipeline.ErrOwnRecord, class: pipeline.ClassSuperseded},
		"deleted record":      {event: deleted(object(bucketName, "a.md5")), err: pipeline.ErrOwnRecord, class: pipeline.ClassSuperseded},
		"filtered":            {event: created(object(bucketName, "tmp/a")), err: pipeline.ErrFiltered, class: pipeline.ClassSuperseded, touched: 1},
		"filtered deletion":   {event: deleted(object(bucketName, "tmp/a")), err: pipeline.ErrFiltered, class: pipeline.ClassSuperseded, touched: 3},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			handle := handlerOf(t, s, a, func(c *handlers.Config) {
				c.Buckets["archive"] = pipeline.Bucket{Source: s, Records: s}
				c.Selects = func(key string) bool { return !strings.HasPrefix(key, "tmp/") }
			})
			err := handle(t.Context(), tc.event)
			if got := pipeline.Classify(err); got != tc.class || !errors.Is(err, tc.err) && tc.err != nil {
				t.Errorf("got %v of class %q, want class %q", err, got, tc.class)
			}
			for _, text := range tc.texts {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q lacks %s", err, text)
				}
			}
			if s.opened != 0 || s.touched != tc.touched || len(a.results) > 0 {
				t.Errorf("store was asked %d times, announced %v", s.touched, a.results)
			}
		})
	}
}

// TestSweep shows that a shard goes to the worker of passes, without a touch of the bucket, and is refused where there
// is none, or where its bucket is not configured.
func TestSweep(t *testing.T) {
	s, a := newStore(), &announced{}
	shard := pipeline.Shard{Pass: "p", Bucket: bucketName, After: "a"}
	event := pipeline.Event{Kind: pipeline.Sweep, Object: pipeline.Object{Bucket: bucketName}, Shard: &shard}
	err := handlerOf(t, s, a)(t.Context(), event)
	if pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), "--reports") {
		t.Errorf("without a worker of passes: %v", err)
	}
	var got []pipeline.Shard
	unfinished := pipeline.Unfinished(7)
	handle := handlerOf(t, s, a, func(c *handlers.Config) {
		c.Sweep = func(_ context.Context, e pipeline.Event) error { got = append(got, *e.Shard); return unfinished }
	})
	if err := handle(t.Context(), event); !errors.Is(err, unfinished) {
		t.Errorf("got %v, want that of the worker of passes", err)
	}
	event.Object.Bucket = "other"
	if err := handle(t.Context(), event); !errors.Is(err, pipeline.ErrUnknownBucket) || pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Errorf("of another bucket: %v", err)
	}
	if diff := cmp.Diff([]pipeline.Shard{shard}, got); diff != "" || s.touched > 0 || len(a.results) > 0 {
		t.Errorf("shards (-want +got):\n%s\ntouched %d times, announced %v", diff, s.touched, a.results)
	}
}

// TestExcluded shows that an excluded object loses the record from before its exclusion when that is
// outdated.
func TestExcluded(t *testing.T) {
	denied := errors.New("access denied")
	for name, tc := range map[string]struct {
		keep     bool
		do       func(s *store) pipeline.Event // after "one" was recorded
		recorded string
		err      error
	}{
		"still the same": {do: func(s *store) pipeline.Event {
			return created(s.put("b", "other")) // it has no record
		}, recorded: "one", err: pipeline.ErrFiltered},
		"the event comes again": {do: func(s *store) pipeline.Event {
			o := s.describe("a", s.objects["a"][0])
			return created(o)
		}, recorded: "one", err: pipeline.ErrFiltered},
		"overwritten":                       {do: func(s *store) pipeline.Event { return created(s.put("a", "two")) }},
		"overwritten, and records are kept": {keep: true, do: func(s *store) pipeline.Event { return created(s.put("a", "two")) }},
		"deleted":                           {do: func(s *store) pipeline.Event { return deleted(s.drop("a")) }},
		"deleted, and records are kept": {keep: true, do: func(s *store) pipeline.Event { return deleted(s.drop("a")) },
			recorded: "one", err: pipeline.ErrFiltered},
		"deleted and back": {do: func(s *store) pipeline.Event {
			e := deleted(s.drop("a"))
			s.put("a", "two")
			return e
		}},
		"cannot look up": {do: func(s *store) pipeline.Event {
			s.lookupErr = denied
			return created(s.put("a", "two"))
		}, recorded: "one", err: denied},
		"cannot look": {do: func(s *store) pipeline.Event {
			s.statErr = denied
			return created(s.put("a", "two"))
		}, recorded: "one", err: denied},
		"cannot remove": {do: func(s *store) pipeline.Event {
			s.removeErr = denied
			return deleted(s.drop("a"))
		}, recorded: "one", err: denied},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			if err := handlerOf(t, s, a)(t.Context(), created(s.put("a", "one"))); err != nil {
				t.Fatal(err)
			}
			e := tc.do(s)
			err := handlerOf(t, s, a, func(c *handlers.Config) {
				c.Selects = func(string) bool { return false }
				c.KeepRecords = tc.keep
			})(t.Context(), e)
			if !errors.Is(err, tc.err) || (err == nil) != (tc.err == nil) {
				t.Errorf("got %v, want %v", err, tc.err)
			}
			want := ""
			if tc.recorded != "" {
				want = md5sum(tc.recorded)
			}
			if got := s.recorded("a"); got != want {
				t.Errorf("recorded %q, want %q", got, want)
			}
			if removed := a.results[len(a.results)-1].Outcome == pipeline.Removed; removed != (tc.err == nil) || s.opened != 1 {
				t.Errorf("announced %+v, read %d times", a.results, s.opened)
			}
		})
	}
}

// TestPublishFails shows that a result whose announcement failed is announced again.
func TestPublishFails(t *testing.T) {
	s, a := newStore(), &announced{fail: errors.New("topic is gone")}
	handle := handlerOf(t, s, a)
	o := s.put("a", "hello")
	err := handle(t.Context(), created(o))
	if !errors.Is(err, a.fail) || pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("got %v", err)
	}
	if s.recorded("a") != md5sum("hello") {
		t.Errorf("recorded %q", s.recorded("a"))
	}
	a.fail = nil
	if err := handle(t.Context(), again(created(o))); err != nil {
		t.Fatal(err)
	}
	if s.opened != 1 || len(a.results) != 1 || a.results[0].Record.Digests["md5"] != md5sum("hello") {
		t.Errorf("read %d times, announced %+v", s.opened, a.results)
	}
}

func TestRestored(t *testing.T) {
	s, a := newStore(), &announced{}
	o := s.put("a", "hello")
	o.Sequencer = "" // such an event has none
	if err := handlerOf(t, s, a)(t.Context(), pipeline.Event{Kind: pipeline.Restored, Object: o}); err != nil {
		t.Fatal(err)
	}
	if s.recorded("a") != md5sum("hello") {
		t.Errorf("recorded %q", s.recorded("a"))
	}
}

func TestTombstone(t *testing.T) {
	for name, tc := range map[string]struct {
		keep, unversioned bool
		do                func(s *store, handle func(pipeline.Event)) pipeline.Event // returns the deletion
		recorded          string
		outcome           pipeline.Outcome
		err               error
	}{
		"record goes": {
			do: func(s *store, handle func(pipeline.Event)) pipeline.Event {
				handle(created(s.put("a", "one")))
				return deleted(s.drop("a"))
			},
			outcome: pipeline.Removed,
		},
		"record is kept": {
			keep: true,
			do: func(s *store, handle func(pipeline.Event)) pipeline.Event {
				handle(created(s.put("a", "one")))
				return deleted(s.drop("a"))
			},
			recorded: "one", outcome: pipeline.Kept,
		},
		"no record": {
			do: func(s *store, _ func(pipeline.Event)) pipeline.Event {
				s.put("a", "one")
				return deleted(s.drop("a"))
			},
			outcome: pipeline.Kept,
		},
		"put back, not summed yet": {
			do: func(s *store, handle func(pipeline.Event)) pipeline.Event {
				handle(created(s.put("a", "one")))
				late := deleted(s.drop("a"))
				s.put("a", "two")
				return late
			},
			recorded: "two", outcome: pipeline.Recorded,
		},
		"put back and summed": {
			do: func(s *store, handle func(pipeline.Event)) pipeline.Event {
				handle(created(s.put("a", "one")))
				late := deleted(s.drop("a"))
				handle(created(s.put("a", "two")))
				return late
			},
			recorded: "two", outcome: pipeline.Current,
		},
		"put back with the same content": {
			unversioned: true,
			do: func(s *store, handle func(pipeline.Event)) pipeline.Event {
				handle(created(s.put("a", "one")))
				late := deleted(s.drop("a"))
				handle(created(s.put("a", "one")))
				return late
			},
			recorded: "one", outcome: pipeline.Current,
		},
		"older version is current again": {
			do: func(s *store, handle func(pipeline.Event)) pipeline.Event {
				handle(created(s.put("a", "one")))
				handle(created(s.put("a", "two")))
				return deleted(s.drop("a"))
			},
			recorded: "one", outcome: pipeline.Recorded,
		},
		"older version is current again, records are kept": {
			keep: true,
			do: func(s *store, handle func(pipeline.Event)) pipeline.Event {
				handle(created(s.put("a", "one")))
				handle(created(s.put("a", "two")))
				return deleted(s.drop("a"))
			},
			recorded: "one", outcome: pipeline.Recorded,
		},
		"put back as its record is removed": {
			unversioned: true,
			do: func(s *store, handle func(pipeline.Event)) pipeline.Event {
				handle(created(s.put("a", "one")))
				e := deleted(s.drop("a"))
				s.onRemove = func() { handle(created(s.put("a", "one"))) } // finds its record
				return e
			},
			recorded: "one", outcome: pipeline.Recorded,
		},
		"put back as another worker has removed its record": {
			do: func(s *store, handle func(pipeline.Event)) pipeline.Event {
				handle(created(s.put("a", "one")))
				e := deleted(s.drop("a"))
				s.onRemove = func() { delete(s.records, "a"); s.put("a", "two") }
				return e
			},
			recorded: "two", outcome: pipeline.Recorded,
		},
		"newer record": {
			do: func(s *store, handle func(pipeline.Event)) pipeline.Event {
				s.put("a", "one")
				late := deleted(s.drop("a"))
				handle(created(s.put("a", "two")))
				s.drop("a") // its event comes later
				return late
			},
			outcome: pipeline.Removed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			s.unversioned = tc.unversioned
			handle := handlerOf(t, s, a, func(c *handlers.Config) { c.KeepRecords = tc.keep })
			e := tc.do(s, func(e pipeline.Event) {
				t.Helper()
				if err := handle(t.Context(), e); err != nil {
					t.Error(err)
				}
			})
			err := handle(t.Context(), e)
			if !errors.Is(err, tc.err) || (err == nil) != (tc.err == nil) {
				t.Fatalf("got %v, want %v", err, tc.err)
			}
			want := ""
			if tc.recorded != "" {
				want = md5sum(tc.recorded)
			}
			if got := s.recorded("a"); got != want {
				t.Errorf("recorded %q, want %q", got, want)
			}
			if tc.err != nil {
				return
			}
			last := a.results[len(a.results)-1]
			if last.Outcome != tc.outcome || last.Event.ID != e.ID || last.Record.Source.Key != "a" {
				t.Errorf("announced %+v", last)
			}
		})
	}
}

func TestTombstoneFails(t *testing.T) {
	denied := errors.New("access denied")
	for name, sabotage := range map[string]func(*store){
		"cannot look":       func(s *store) { s.statErr = denied },
		"cannot remove":     func(s *store) { s.removeErr = denied },
		"cannot look again": func(s *store) { s.removeToo = denied },
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			handle := handlerOf(t, s, a)
			if err := handle(t.Context(), created(s.put("a", "one"))); err != nil {
				t.Fatal(err)
			}
			e := deleted(s.drop("a"))
			sabotage(s)
			if err := handle(t.Context(), e); !errors.Is(err, denied) || pipeline.Classify(err) != pipeline.ClassTransient {
				t.Errorf("got %v", err)
			}
			s.statErr, s.removeErr, s.removeToo = nil, nil, nil
			if err := handle(context.Background(), e); err != nil {
				t.Errorf("again: %v", err)
			}
			if s.recorded("a") != "" {
				t.Errorf("recorded %q", s.recorded("a"))
			}
			if diff := cmp.Diff(2, len(a.results)); diff != "" {
				t.Errorf("announcements (-want +got):\n%s", diff)
			}
		})
	}
}
