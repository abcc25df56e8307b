package handlers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// pass is a pass over a store, for tests.
type pass struct {
	plan   sweep.Plan
	config handlers.Config
}

// passOf returns a pass over a store, with MD5 records. a may be nil.
func passOf(s *store, a *announced, command sweep.Command, change ...func(*pass)) *pass {
	p := &pass{
		plan: sweep.Plan{Pass: "20261130-134500", Command: command},
		config: handlers.Config{
			Buckets:    map[string]pipeline.Bucket{bucketName: {Source: s, Records: s}},
			Algorithms: []string{"md5"},
		},
	}
	if a != nil {
		p.config.Publish = a.publish
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func (p *pass) examine(t testing.TB) sweep.Examine {
	t.Helper()
	x, err := handlers.Examine(p.config, p.plan)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// row examines one item, without an error.
func (p *pass) row(t testing.TB, i sweep.Item) sweep.Row {
	t.Helper()
	row, err := p.examine(t)(t.Context(), i)
	if err != nil {
		t.Fatalf("examine %s: %v", i.At, err)
	}
	return row
}

// listed is the item of an object, as a listing has it: without a version id.
func listed(o pipeline.Object) sweep.Item {
	o.VersionID, o.Sequencer = "", ""
	return sweep.Item{At: o.Key, Object: o}
}

// recordItem is the item of the record of a key.
func recordItem(key, alg string) sweep.Item {
	return sweep.Item{At: key + "." + alg, Record: true, Object: pipeline.Object{Bucket: bucketName, Key: key, Size: pipeline.UnknownSize}}
}

// putRecorded makes content the current version and records it.
func (s *store) putRecorded(key, content string) pipeline.Object {
	o := s.put(key, content)
	s.record(o, content)
	return o
}

// record records content for a version.
func (s *store) record(o pipeline.Object, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.born++
	s.records[o.Key] = pipeline.Record{Source: o, Digests: map[string]string{"md5": md5sum(content)},
		ComputedAt: time.Date(2026, 11, 1, 0, 0, s.born, 0, time.UTC)}
}

// rot changes the content of the current version, as failing hardware does.
func (s *store) rot(key, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.objects[key]
	all[len(all)-1].content = content
}

func TestExamineRefusesPlans(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*pass)
		says   string
	}{
		"unknown command":        {func(p *pass) { p.plan.Command = "erase" }, `"erase"`},
		"unknown algorithm":      {func(p *pass) { p.plan.Options.Algorithms = []string{"md6"} }, "md6"},
		"not recorded here":      {func(p *pass) { p.plan.Options.Algorithms = []string{"md5", "sha256"} }, "about sha256"},
		"other checks of claims": {func(p *pass) { p.plan.Options.IgnoreClaims = true }, "--native-checks"},
		"no bucket":              {func(p *pass) { p.config.Buckets = nil }, "no bucket"},
		"unknown, against lists": {func(p *pass) { p.plan.Options = sweep.Options{Against: true, Algorithms: []string{"md6"}} }, "md6"},
	} {
		t.Run(name, func(t *testing.T) {
			p := passOf(newStore(), nil, sweep.Verify, tc.change)
			if _, err := handlers.Examine(p.config, p.plan); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want an error that says %s", err, tc.says)
			}
		})
	}
}

// TestExamineUnknownBucket shows that an item of a bucket that is not configured ends the shard, and touches nothing.
func TestExamineUnknownBucket(t *testing.T) {
	s := newStore()
	_, err := passOf(s, nil, sweep.Backfill).examine(t)(t.Context(), listed(pipeline.Object{Bucket: "other", Key: "a", ETag: "e"}))
	if !errors.Is(err, pipeline.ErrUnknownBucket) || pipeline.Classify(err) != pipeline.ClassPermanent || s.touched > 0 {
		t.Errorf("got %v after %d calls of the store", err, s.touched)
	}
}

// TestExamineRetries shows that a store that is slow for some seconds makes no object unreadable, and that the row
// of one that stays unreadable says why.
func TestExamineRetries(t *testing.T) {
	for _, command := range []sweep.Command{sweep.Backfill, sweep.Verify} {
		for name, fails := range map[string]func(s *store, err error){
			"look at the record": func(s *store, err error) { s.lookupErr = err },
			"read":               func(s *store, err error) { s.openErr = err },
		} {
			t.Run(string(command)+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStore()
					o := s.put("a", "one")
					if command == sweep.Verify {
						s.record(o, "one")
					}
					p := passOf(s, nil, command)
					fails(s, errors.New("503 SlowDown:\nreduce your request rate"))
					row := p.row(t, listed(o))
					if row.State != sweep.Unreadable || row.Key != "a" || !strings.Contains(row.Reason, "SlowDown") || strings.Contains(row.Reason, "\n") {
						t.Errorf("got %+v, want unreadable with its reason in one line", row)
					}

					fails(s, errors.New("503 SlowDown"))
					time.AfterFunc(time.Second, func() { s.mu.Lock(); fails(s, nil); s.mu.Unlock() })
					if row := p.row(t, listed(o)); row.State != sweep.OK && row.State != sweep.Recorded {
						t.Errorf("got %+v after a second of throttling", row)
					}
				})
			})
		}
	}
}

// TestExamineEnds shows that the end of the context ends the shard instead of making objects unreadable.
func TestExamineEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		o := s.put("a", "one")
		s.openErr = errors.New("503")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(pipeline.ErrLeaseLost) })
		row, err := passOf(s, nil, sweep.Backfill).examine(t)(ctx, listed(o))
		if !errors.Is(err, pipeline.ErrLeaseLost) || row.State != "" {
			t.Errorf("got %+v, %v, want the cause of the end", row, err)
		}
	})
}
