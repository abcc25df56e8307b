package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

func claim(name, algorithm, value string, parts ...int64) pipeline.Claim {
	return pipeline.Claim{Name: name, Claim: digest.Claim{Algorithm: algorithm, Value: value, Parts: parts}}
}

const (
	helloInParts = "554a2f6105cc700b8cc987b5ddfb8102-2" // MD5 of "hel" and "lo"
	crcOfHello   = "mnG7TA=="                           // CRC32C
)

// verifying returns the handler of a store and its log.
func verifying(t *testing.T, s *store, a *announced, change ...func(*handlers.Config)) (pipeline.Handler, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	return handlerOf(t, s, a, append(change, func(c *handlers.Config) {
		c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})...), log
}

func TestClaimsMatch(t *testing.T) {
	s, a := newStore(), &announced{}
	s.claims = []pipeline.Claim{
		claim("etag", "md5", helloInParts, 3, 2),
		claim("x-amz-checksum-crc32c", "crc32c", crcOfHello),
		claim("x-amz-checksum-new", "new", "x"),
		claim("md5chksum", "md5", "garbage"),
	}
	handle, log := verifying(t, s, a)
	for range 2 { // the second call is a retry
		if err := handle(t.Context(), created(s.put("a", "hello"))); err != nil {
			t.Fatal(err)
		}
	}
	r := a.results[0]
	if r.Outcome != pipeline.Recorded || r.Saved || r.Reason != "" {
		t.Errorf("announced %+v", r)
	}
	if diff := cmp.Diff(map[string]string{"md5": md5sum("hello")}, r.Record.Digests); diff != "" {
		t.Errorf("more is recorded than was asked for (-want +got):\n%s", diff)
	}
	var outcomes []digest.Outcome
	for _, c := range r.Record.Checks {
		outcomes = append(outcomes, c.Outcome)
	}
	if diff := cmp.Diff([]digest.Outcome{digest.Match, digest.Match, digest.Unchecked, digest.Unchecked}, outcomes); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
	for _, want := range []string{"claim=x-amz-checksum-new", "claim=md5chksum"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "level=ERROR") || strings.Contains(log.String(), "claim=etag") {
		t.Errorf("the log complains:\n%s", log)
	}
}

func TestMismatch(t *testing.T) {
	s, a := newStore(), &announced{}
	s.claims = []pipeline.Claim{claim("content-md5", "md5", md5sum("jello")), claim("x-amz-checksum-crc32c", "crc32c", crcOfHello)}
	handle, log := verifying(t, s, a)
	o := s.put("a", "hello")
	err := handle(t.Context(), created(o))
	if !errors.Is(err, pipeline.ErrMismatch) || pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Errorf("got %v", err)
	}
	wrong := "content-md5 says md5 " + md5sum("jello") + ", the content has " + md5sum("hello")
	if err == nil || !strings.Contains(err.Error(), wrong) || !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), wrong) {
		t.Errorf("neither loud nor clear: %v\n%s", err, log)
	}
	if s.recorded("a") != "" {
		t.Errorf("recorded %q", s.recorded("a"))
	}
	if len(a.results) != 1 || a.results[0].Outcome != pipeline.Mismatch || a.results[0].Reason != wrong || a.results[0].Saved ||
		a.results[0].Record.Digests["md5"] != md5sum("hello") || a.results[0].Event.ID != "created-"+o.Sequencer {
		t.Errorf("announced %+v", a.results)
	}

	// The announcement failed, so the event has not ended.
	a.fail = errors.New("topic is gone")
	if err := handle(t.Context(), created(o)); !errors.Is(err, a.fail) || pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("got %v", err)
	}
}

// TestContradiction lets the store refuse the record, because a user's checksum file contradicts the content.
func TestContradiction(t *testing.T) {
	s, a := newStore(), &announced{}
	check := pipeline.Check{Name: "a.md5", Algorithm: "md5", Verdict: digest.Verdict{Outcome: digest.Mismatch, Claimed: md5sum("jello"), Computed: md5sum("hello")}}
	s.saveErr = pipeline.Permanent(&pipeline.ContradictionError{Check: check})
	handle, log := verifying(t, s, a)
	o := s.put("a", "hello")
	err := handle(t.Context(), created(o))
	wrong := "a.md5 says md5 " + md5sum("jello") + ", the content has " + md5sum("hello")
	if !errors.Is(err, pipeline.ErrMismatch) || pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), "a.md5") {
		t.Errorf("got %v", err)
	}
	if len(a.results) != 1 || a.results[0].Outcome != pipeline.Mismatch || a.results[0].Reason != wrong || a.results[0].Saved ||
		a.results[0].Record.Digests["md5"] != md5sum("hello") || !strings.Contains(log.String(), wrong) {
		t.Errorf("announced %+v, logged %s", a.results, log)
	}

	// The user puts both, the checksum file first.
	s.onSave = func() {
		s.put("a", "jello")
		s.onSave = func() { s.saveErr = nil }
	}
	o = s.put("a", "hello")
	if err := handle(t.Context(), created(o)); err != nil || s.recorded("a") != md5sum("jello") {
		t.Errorf("got %v, recorded %q", err, s.recorded("a"))
	}
}

func TestMismatchIsRecorded(t *testing.T) {
	s, a := newStore(), &announced{}
	s.claims = []pipeline.Claim{claim("content-md5", "md5", md5sum("jello"))}
	recording := func(c *handlers.Config) { c.RecordMismatches = true }
	handle, _ := verifying(t, s, a, recording)
	o := s.put("a", "hello")
	for _, e := range []pipeline.Event{created(o), again(created(o))} { // the second one finds the record
		if err := handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if s.opened != 2 || s.recorded("a") != md5sum("hello") || !s.records["a"].Mismatched() {
		t.Errorf("read %d times, recorded %+v", s.opened, s.records["a"])
	}
	if diff := cmp.Diff([]pipeline.Outcome{pipeline.Mismatch, pipeline.Mismatch}, a.outcomes()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	for _, r := range a.results {
		if !r.Saved || r.Reason == "" {
			t.Errorf("announced %+v", r)
		}
	}
	// A record that was read back has only these fields.
	r := s.records["a"]
	r.Checks = []pipeline.Check{{Name: "content-md5", Algorithm: "md5", Verdict: digest.Verdict{Outcome: digest.Mismatch}}}
	s.records["a"] = r
	if err := handle(t.Context(), again(created(o))); err != nil || a.results[2].Reason != "not the md5 of content-md5" {
		t.Errorf("%v, announced %+v", err, a.results)
	}

	// A handler that does not record mismatches ignores the record.
	strict, _ := verifying(t, s, a)
	if err := strict(t.Context(), created(o)); !errors.Is(err, pipeline.ErrMismatch) {
		t.Errorf("got %v", err)
	}
}

// TestMismatchLeavesNoOlderRecord overwrites recorded content by content that differs from a claim.
func TestMismatchLeavesNoOlderRecord(t *testing.T) {
	wrong := []pipeline.Claim{claim("content-md5", "md5", md5sum("jello"))}
	for name, tc := range map[string]struct {
		before func(s *store) // the record of the old content is removed
		want   string         // what is recorded at the end
		class  pipeline.Class
		is     error
		end    []pipeline.Outcome
	}{
		"removed": {func(*store) {}, "", pipeline.ClassPermanent, pipeline.ErrMismatch,
			[]pipeline.Outcome{pipeline.Recorded, pipeline.Mismatch}},
		"not to be removed": {func(s *store) { s.removeErr = errors.New("503") }, "hello", pipeline.ClassTransient, nil,
			[]pipeline.Outcome{pipeline.Recorded}},
		"a newer version is recorded": {func(s *store) {
			s.onRemove = func() {
				newer := s.put("a", "newer")
				s.records["a"] = pipeline.Record{Source: newer, Digests: map[string]string{"md5": md5sum("newer")}}
			}
		}, "newer", pipeline.ClassNone, nil, []pipeline.Outcome{pipeline.Recorded, pipeline.Current}},
		"the old content is put back": {func(s *store) {
			s.onRemove = func() { s.claims = nil; s.put("a", "hello") }
		}, "hello", pipeline.ClassNone, nil, []pipeline.Outcome{pipeline.Recorded, pipeline.Recorded}},
		"the object is deleted": {func(s *store) {
			s.onRemove = func() { delete(s.objects, "a") }
		}, "", pipeline.ClassSuperseded, pipeline.ErrMissing, []pipeline.Outcome{pipeline.Recorded}},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			handle, _ := verifying(t, s, a)
			if err := handle(t.Context(), created(s.put("a", "hello"))); err != nil {
				t.Fatal(err)
			}
			s.claims = wrong
			tc.before(s)
			err := handle(t.Context(), created(s.put("a", "rotten")))
			if pipeline.Classify(err) != tc.class || !errors.Is(err, tc.is) && tc.is != nil {
				t.Errorf("got %v of class %s", err, pipeline.Classify(err))
			}
			want := ""
			if tc.want != "" {
				want = md5sum(tc.want)
			}
			if got := s.recorded("a"); got != want {
				t.Errorf("%q is recorded, want the MD5 of %q", got, tc.want)
			}
			if diff := cmp.Diff(tc.end, a.outcomes()); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
		})
	}
}

// The record of content from before its rot shows what it was.
func TestMismatchLeavesItsOwnRecord(t *testing.T) {
	s, a := newStore(), &announced{}
	handle, _ := verifying(t, s, a)
	o := s.put("a", "hello")
	if err := handle(t.Context(), created(o)); err != nil {
		t.Fatal(err)
	}
	s.claims = []pipeline.Claim{claim("content-md5", "md5", md5sum("jello"))}
	more, _ := verifying(t, s, a, func(c *handlers.Config) { c.Algorithms = []string{"md5", "sha256"} })
	if err := more(t.Context(), created(o)); !errors.Is(err, pipeline.ErrMismatch) || s.recorded("a") != md5sum("hello") {
		t.Errorf("got %v, recorded %q", err, s.recorded("a"))
	}
}

// flaky damages the first contents that are read.
type flaky struct {
	*store
	damaged []string // replace the content
}

func (f *flaky) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	r, err := f.store.Open(ctx, o)
	if err == nil && len(f.damaged) > 0 {
		r.(*reader).Reader = strings.NewReader(f.damaged[0])
		f.damaged = f.damaged[1:]
	}
	return r, err
}

func TestDamagedInTransit(t *testing.T) {
	for name, tc := range map[string]struct {
		damaged  []string
		outcomes []pipeline.Outcome
		class    pipeline.Class
	}{
		"once":            {[]string{"jello"}, []pipeline.Outcome{pipeline.Recorded}, pipeline.ClassNone},
		"differently":     {[]string{"jello", "hellu"}, nil, pipeline.ClassTransient},
		"always the same": {[]string{"jello", "jello"}, []pipeline.Outcome{pipeline.Mismatch}, pipeline.ClassPermanent},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			s.claims = []pipeline.Claim{claim("x-amz-checksum-crc32c", "crc32c", crcOfHello)}
			source := &flaky{s, tc.damaged}
			handle, log := verifying(t, s, a, func(c *handlers.Config) {
				c.Buckets[bucketName] = pipeline.Bucket{Source: source, Records: s}
			})
			err := handle(t.Context(), created(s.put("a", "hello")))
			if pipeline.Classify(err) != tc.class {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(tc.outcomes, a.outcomes()); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if err == nil && (s.recorded("a") != md5sum("hello") || !strings.Contains(log.String(), "level=WARN")) {
				t.Errorf("recorded %q, logged:\n%s", s.recorded("a"), log)
			}
		})
	}
}

func TestClaimsAreIgnored(t *testing.T) {
	s, a := newStore(), &announced{}
	s.claims = []pipeline.Claim{claim("content-md5", "md5", md5sum("jello"))}
	handle, _ := verifying(t, s, a, func(c *handlers.Config) { c.IgnoreClaims = true })
	if err := handle(t.Context(), created(s.put("a", "hello"))); err != nil || a.results[0].Record.Checks != nil {
		t.Errorf("%v, announced %+v", err, a.results)
	}
}

// An object that was overwritten during the reading is no mismatch.
func TestOverwrittenIsNoMismatch(t *testing.T) {
	s, a := newStore(), &announced{}
	s.unversioned = true
	s.claims = []pipeline.Claim{claim("etag", "md5", md5sum("jello"))}
	handle, log := verifying(t, s, a)
	s.onRead = func(int) { s.onRead = nil; s.put("a", "jello") }
	err := handle(t.Context(), created(s.put("a", "hello")))
	if err != nil || len(a.results) != 1 || a.results[0].Outcome != pipeline.Recorded || strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("got %v, announced %+v\n%s", err, a.results, log)
	}
}

// TestAssumedParts shows that assumed sizes of parts prove a match but no mismatch.
func TestAssumedParts(t *testing.T) {
	gone := errors.New("503")
	for name, tc := range map[string]struct {
		content string
		guess   []int64
		actual  []int64
		fail    error
		outcome digest.Outcome
		err     error
		asked   int
	}{
		"right":                        {content: "hello", guess: []int64{3, 2}, outcome: digest.Match},
		"right, and the content wrong": {content: "jello", guess: []int64{3, 2}, actual: []int64{3, 2}, err: pipeline.ErrMismatch, asked: 2},
		"wrong":                        {content: "hello", guess: []int64{4, 1}, actual: []int64{3, 2}, outcome: digest.Match, asked: 2},
		"wrong, and the content too":   {content: "jello", guess: []int64{4, 1}, actual: []int64{3, 2}, err: pipeline.ErrMismatch, asked: 2},
		"unknown":                      {content: "jello", guess: []int64{3, 2}, fail: gone, err: gone, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			c, asked := claim("etag", "md5", helloInParts, tc.guess...), 0
			c.Confirm = func(context.Context) ([]int64, error) { asked++; return tc.actual, tc.fail }
			s.claims = []pipeline.Claim{c}
			handle, _ := verifying(t, s, a)
			err := handle(t.Context(), created(s.put("a", tc.content)))
			if !errors.Is(err, tc.err) || (err == nil) != (tc.err == nil) || asked != tc.asked {
				t.Fatalf("got %v, asked %d times", err, asked)
			}
			if tc.fail != nil && pipeline.Classify(err) != pipeline.ClassTransient {
				t.Errorf("got %v of class %s", err, pipeline.Classify(err))
			}
			if err == nil && a.results[0].Record.Checks[0].Outcome != tc.outcome {
				t.Errorf("announced %+v", a.results[0])
			}
		})
	}
}
