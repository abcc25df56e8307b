package handlers_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
)

func TestChecksum(t *testing.T) {
	s, a := newStore(), &announced{}
	handle := handlerOf(t, s, a)
	o := s.put("a b.txt", "hello")
	before := time.Now()
	if err := handle(t.Context(), created(o)); err != nil {
		t.Fatal(err)
	}
	if len(a.results) != 1 {
		t.Fatalf("announced %v", a.results)
	}
	r := a.results[0]
	if r.Outcome != pipeline.Recorded || r.Event.ID != "created-0001" || r.Duration <= 0 || r.Record.ComputedAt.Before(before) {
		t.Errorf("announced %+v", r)
	}
	if diff := cmp.Diff(o, r.Record.Source); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(r.Record, s.records[o.Key]); diff != "" {
		t.Errorf("record (-announced +saved):\n%s", diff)
	}
	if got := s.recorded(o.Key); got != md5sum("hello") {
		t.Errorf("recorded %q", got)
	}
}

// TestChecksumOnePass also shows that an object whose record lacks an algorithm is read again.
func TestChecksumOnePass(t *testing.T) {
	s, a := newStore(), &announced{}
	o := s.put("a", "hello")
	if err := handlerOf(t, s, a)(t.Context(), created(o)); err != nil {
		t.Fatal(err)
	}
	two := handlerOf(t, s, a, func(c *handlers.Config) { c.Algorithms = []string{"md5", "sha256"} })
	for range 2 {
		if err := two(t.Context(), again(created(o))); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"md5":    "5d41402abc4b2a76b9719d911017c592",
		"sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
	}
	if diff := cmp.Diff(want, s.records["a"].Digests); diff != "" {
		t.Errorf("digests (-want +got):\n%s", diff)
	}
	if s.opened != 2 {
		t.Errorf("read %d times", s.opened)
	}
	if diff := cmp.Diff([]pipeline.Outcome{pipeline.Recorded, pipeline.Recorded, pipeline.Current}, a.outcomes()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestChecksumCurrent(t *testing.T) {
	for name, change := range map[string]func(*pipeline.Object){
		"redelivered":         func(*pipeline.Object) {},
		"without ETag":        func(o *pipeline.Object) { o.ETag = "" },
		"without version":     func(o *pipeline.Object) { o.VersionID = "" },
		"names neither":       func(o *pipeline.Object) { o.VersionID, o.ETag, o.Sequencer = "", "", "" },
		"size is not known":   func(o *pipeline.Object) { o.Size = pipeline.UnknownSize },
		"without a sequencer": func(o *pipeline.Object) { o.Sequencer = "" },
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			handle := handlerOf(t, s, a)
			o := s.put("a", "hello")
			if err := handle(t.Context(), created(o)); err != nil {
				t.Fatal(err)
			}
			change(&o)
			if err := handle(t.Context(), again(created(o))); err != nil {
				t.Fatal(err)
			}
			if s.opened != 1 {
				t.Errorf("read %d times", s.opened)
			}
			if len(a.results) != 2 || a.results[1].Outcome != pipeline.Current ||
				a.results[1].Record.Digests["md5"] != md5sum("hello") {
				t.Errorf("announced %+v", a.results)
			}
		})
	}
}

// TestChecksumUnknownVersion shows that an event without a version means the current one.
func TestChecksumUnknownVersion(t *testing.T) {
	for name, unversioned := range map[string]bool{"versioned": false, "unversioned": true} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			s.unversioned = unversioned
			handle := handlerOf(t, s, a)
			for _, content := range []string{"one", "two"} {
				s.put("a", content)
				o := pipeline.Object{Bucket: bucketName, Key: "a", Size: pipeline.UnknownSize}
				if err := handle(t.Context(), created(o)); err != nil {
					t.Fatal(err)
				}
				if got := s.recorded("a"); got != md5sum(content) {
					t.Errorf("recorded %q after %s", got, content)
				}
			}
			if src := s.records["a"].Source; src.ETag == "" || src.Size != 3 {
				t.Errorf("source is %+v", src)
			}
		})
	}
}

// TestChecksumMeanwhile changes the object at every moment that matters.
func TestChecksumMeanwhile(t *testing.T) {
	for name, tc := range map[string]struct {
		unversioned bool
		keep        bool
		meddle      func(s *store, during *func(int), before *func())
		err         error
		recorded    string // content
		outcome     pipeline.Outcome
	}{
		"overwritten while it is read": {
			meddle: func(s *store, during *func(int), _ *func()) {
				*during = once(func() { s.put("a", "new") })
			}, recorded: "new", outcome: pipeline.Recorded,
		},
		"overwritten while it is read, no versions": {
			unversioned: true,
			meddle: func(s *store, during *func(int), _ *func()) {
				*during = once(func() { s.put("a", "new") })
			}, recorded: "new", outcome: pipeline.Recorded,
		},
		"vanished while it was read": {
			meddle: func(s *store, during *func(int), _ *func()) {
				*during = once(func() { s.drop("a") })
			}, outcome: pipeline.Removed,
		},
		"vanished before": {
			meddle: func(s *store, _ *func(int), _ *func()) { s.drop("a") }, err: pipeline.ErrMissing,
		},
		"overwritten before, no versions": {
			unversioned: true,
			meddle:      func(s *store, _ *func(int), _ *func()) { s.put("a", "new") }, recorded: "new", outcome: pipeline.Recorded,
		},
		"overwritten before": {
			meddle: func(s *store, _ *func(int), _ *func()) { s.put("a", "new") }, recorded: "new", outcome: pipeline.Recorded,
		},
		"overwritten as the record is written": {
			meddle: func(s *store, _ *func(int), before *func()) {
				*before = func() { s.put("a", "new") }
			}, recorded: "new", outcome: pipeline.Recorded,
		},
		"overwritten as the record is written, no versions": {
			unversioned: true,
			meddle: func(s *store, _ *func(int), before *func()) {
				*before = func() { s.put("a", "new") }
			}, recorded: "new", outcome: pipeline.Recorded,
		},
		"deleted as the record is written": {
			meddle: func(s *store, _ *func(int), before *func()) {
				*before = func() { s.drop("a") }
			}, outcome: pipeline.Removed,
		},
		"deleted as the record is written, records are kept": {
			keep: true,
			meddle: func(s *store, _ *func(int), before *func()) {
				*before = func() { s.drop("a") }
			}, recorded: "old", outcome: pipeline.Kept,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			s.unversioned = tc.unversioned
			handle := handlerOf(t, s, a, func(c *handlers.Config) { c.KeepRecords = tc.keep })
			o := s.put("a", "old")
			o.VersionID = "v1" // events of such a bucket may name one
			tc.meddle(s, &s.onRead, &s.onSave)
			err := handle(t.Context(), created(o))
			if !errors.Is(err, tc.err) || (tc.err == nil) != (err == nil) {
				t.Fatalf("got %v, want %v", err, tc.err)
			}
			if err != nil && pipeline.Classify(err) != pipeline.ClassSuperseded {
				t.Errorf("class is %q", pipeline.Classify(err))
			}
			want := ""
			if tc.recorded != "" {
				want = md5sum(tc.recorded)
			}
			if got := s.recorded("a"); got != want {
				t.Errorf("recorded %q, want %q", got, want)
			}
			if tc.err != nil && len(a.results) > 0 || tc.err == nil && (len(a.results) != 1 || a.results[0].Outcome != tc.outcome) {
				t.Errorf("announced %+v", a.results)
			}
		})
	}
}

// once returns a read hook that acts before the first read of all.
func once(act func()) func(int) {
	var did sync.Once
	return func(int) { did.Do(act) }
}

func TestChecksumFails(t *testing.T) {
	denied := errors.New("access denied")
	for name, tc := range map[string]struct {
		sabotage func(*store)
		class    pipeline.Class
	}{
		"unreadable":      {func(s *store) { s.openErr = denied }, pipeline.ClassTransient},
		"cannot look":     {func(s *store) { s.statErr = denied }, pipeline.ClassTransient},
		"records blocked": {func(s *store) { s.lookupErr = denied }, pipeline.ClassTransient},
		"cannot record":   {func(s *store) { s.saveErr = denied }, pipeline.ClassTransient},
		"short read":      {func(s *store) { s.short = 2 }, pipeline.ClassTransient},
		"archived":        {func(s *store) { s.openErr = pipeline.ErrArchived }, pipeline.ClassSuperseded},
		"foreign record":  {func(s *store) { s.saveErr = pipeline.Permanent(denied) }, pipeline.ClassPermanent},
		"no identity":     {func(s *store) { s.anonymous = true }, pipeline.ClassPermanent},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			o := s.put("a", "hello")
			tc.sabotage(s)
			if name == "no identity" {
				o.ETag, o.VersionID = "", ""
			}
			err := handlerOf(t, s, a)(t.Context(), again(created(o)))
			if got := pipeline.Classify(err); got != tc.class {
				t.Errorf("class of %v is %q, want %q", err, got, tc.class)
			}
			if len(a.results) > 0 || s.recorded("a") != "" {
				t.Errorf("announced %v, recorded %q", a.results, s.recorded("a"))
			}
		})
	}
}

// TestChecksumConfirmFails lets the last look fail: the next delivery finds the record and finishes.
func TestChecksumConfirmFails(t *testing.T) {
	s, a := newStore(), &announced{}
	handle := handlerOf(t, s, a)
	o := s.put("a", "hello")
	s.onSave = func() { s.statErr = errors.New("timeout") }
	if err := handle(t.Context(), created(o)); pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("got %v", err)
	}
	s.statErr = nil
	if err := handle(t.Context(), again(created(o))); err != nil {
		t.Error(err)
	}
	if s.opened != 1 || len(a.results) != 1 || a.results[0].Outcome != pipeline.Current {
		t.Errorf("read %d times, announced %+v", s.opened, a.results)
	}
}

// TestChecksumOlderEvents delivers the events of one key in reverse order.
func TestChecksumOlderEvents(t *testing.T) {
	for name, unversioned := range map[string]bool{"versioned": false, "unversioned": true} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			s.unversioned = unversioned
			handle := handlerOf(t, s, a)
			events := []pipeline.Event{
				created(s.put("a", "one")), created(s.put("a", "two")),
				deleted(s.drop("a")), created(s.put("a", "three")),
			}
			for i := len(events) - 1; i >= 0; i-- {
				if err := handle(t.Context(), events[i]); err != nil {
					t.Errorf("%s: %v", events[i].ID, err)
				}
				if got := s.recorded("a"); got != md5sum("three") {
					t.Errorf("%s: recorded %q", events[i].ID, got)
				}
			}
			if diff := cmp.Diff([]pipeline.Outcome{pipeline.Recorded, pipeline.Current, pipeline.Current, pipeline.Current}, a.outcomes()); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestChecksumCancelled cancels the reading of an endless object.
func TestChecksumCancelled(t *testing.T) {
	s, a := newStore(), &announced{}
	ctx, cancel := context.WithCancel(t.Context())
	reads := 0
	endless := &endlessSource{store: s, reader: reader{Reader: zeros{}, onRead: func(n int) {
		if reads = n; n == 10 {
			cancel()
		}
	}}}
	handle := handlerOf(t, s, a, func(c *handlers.Config) {
		c.Buckets[bucketName] = pipeline.Bucket{Source: endless, Records: s}
	})
	err := handle(ctx, created(s.put("a", "")))
	if !errors.Is(err, context.Canceled) || pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("got %v", err)
	}
	if reads > 11 {
		t.Errorf("went on for %d reads", reads)
	}
	if !endless.reader.closed || s.recorded("a") != "" || len(a.results) > 0 {
		t.Errorf("closed: %v, recorded %q, announced %v", endless.reader.closed, s.recorded("a"), a.results)
	}
}

// TestChecksumPanicCloses shows that a panic leaves no reader open.
func TestChecksumPanicCloses(t *testing.T) {
	s := newStore()
	source := &endlessSource{store: s, reader: reader{Reader: zeros{}, onRead: func(int) { panic("driver") }}}
	handle := handlerOf(t, s, &announced{}, func(c *handlers.Config) {
		c.Buckets[bucketName] = pipeline.Bucket{Source: source, Records: s}
	})
	func() {
		defer func() { _ = recover() }()
		_ = handle(t.Context(), created(s.put("a", "")))
	}()
	if !source.reader.closed {
		t.Error("reader is open")
	}
}

// endlessSource opens one reader.
type endlessSource struct {
	*store
	reader reader
}

func (s *endlessSource) Open(_ context.Context, o pipeline.Object) (pipeline.Reader, error) {
	s.reader.object = o
	s.reader.object.ETag, s.reader.object.Size = "endless", pipeline.UnknownSize
	return &s.reader, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

var _ io.Reader = zeros{}

func BenchmarkChecksum(b *testing.B) {
	const size = 16 << 10
	s := newStore()
	o := s.put("a", string(make([]byte, size)))
	handle := handlerOf(b, s, &announced{}, func(c *handlers.Config) { c.Publish = nil })
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		clear(s.records)
		if err := handle(b.Context(), created(o)); err != nil {
			b.Fatal(err)
		}
	}
}
