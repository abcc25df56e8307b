package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// rows collects the rows of a pass by their names.
type rows []string

func (r *rows) add(rs []sweep.Row) error {
	for _, row := range rs {
		*r = append(*r, row.Bucket+"/"+row.Key)
	}
	return nil
}

// all returns the names of all objects of stores, in the order of a pass.
func all(stores map[string]*store) rows {
	var names rows
	for bucket, s := range stores {
		for _, key := range s.keys {
			names = append(names, bucket+"/"+key)
		}
	}
	slices.Sort(names)
	return names
}

func twoBuckets() map[string]*store {
	return map[string]*store{"photos": newStore(250), "Mail.Archive": newStore(33)}
}

// TestHere: a pass in this process has one row for each object, in order, with or without reports, and a second run
// of a named pass reads its reports only.
func TestHere(t *testing.T) {
	for _, tc := range []struct {
		name    string
		reports sweep.Reports
		shards  int
	}{{"without reports", nil, 0}, {"with reports", newMemory(), 0}, {"with many roots", newMemory(), 16}} {
		t.Run(tc.name, func(t *testing.T) {
			stores := twoBuckets()
			var examined atomic.Int64
			var got rows
			p := sweep.Pass{
				Command: sweep.Verify, Buckets: []string{"photos", "Mail.Archive"}, Reports: tc.reports, Name: "audit-1", Shards: tc.shards, Rows: got.add,
				Cut: sweep.Cut{Items: 20},
				Open: openStores(stores, func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
					examined.Add(1)
					return ok(ctx, i)
				}),
			}
			for range 2 {
				got = nil
				s, err := p.Here(t.Context())
				if err != nil || !s.Complete || s.Totals.Objects[sweep.OK] != 283 || s.Totals.Bytes != 283 {
					t.Errorf("got %+v, %v; want 283 objects", s, err)
				}
				if diff := cmp.Diff(all(stores), got); diff != "" {
					t.Errorf("rows: %s", diff)
				}
				if tc.reports == nil {
					return
				}
			}
			if n := examined.Load(); n != 283 {
				t.Errorf("%d objects were examined in two runs, want each of 283 once", n)
			}
		})
	}
}

// TestResume: a pass that was stopped is found by its command, buckets and options, and continues. A finished one
// is not.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stores, reports := twoBuckets(), newMemory()
		var examined int
		stop := make(chan struct{})
		begin := func(change func(*sweep.Pass)) (rows, sweep.Summary, error) {
			time.Sleep(time.Hour)
			var got rows
			p := sweep.Pass{
				Command: sweep.Verify, Buckets: []string{"photos", "Mail.Archive"}, Reports: reports, Rows: got.add, Concurrency: 1,
				Cut: sweep.Cut{Items: 20}, Stop: stop,
				Open: openStores(stores, func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
					if examined++; examined == 100 {
						close(stop)
					}
					return ok(ctx, i)
				}),
			}
			change(&p)
			s, err := p.Here(t.Context())
			return got, s, err
		}
		same := func(p *sweep.Pass) { p.Options.VerifiedBefore = time.Now().Add(-time.Hour) } // of an age that the user gave
		got, first, err := begin(same)
		if !errors.Is(err, sweep.ErrStopped) || first.Complete || len(got) != 100 {
			t.Fatalf("got %d rows, %+v, %v; want 100, stopped", len(got), first, err)
		}
		stop = nil
		if _, s, err := begin(func(p *sweep.Pass) { p.Options.Larger = 1 }); err != nil || s.Pass == first.Pass {
			t.Errorf("with other options: got %+v, %v; want another pass", s, err)
		}
		got, second, err := begin(same)
		if err != nil || !second.Complete || second.Pass != first.Pass || examined != 283 {
			t.Errorf("got %+v, %v, and %d examinations; want %s resumed, and each of 283 objects examined once", second, err, examined, first.Pass)
		}
		if diff := cmp.Diff(all(stores), got); diff != "" {
			t.Errorf("rows: %s", diff)
		}
		if _, third, err := begin(same); err != nil || third.Pass == first.Pass || third.Totals.Sum() != 283 {
			t.Errorf("after the end: got %+v, %v; want a new pass", third, err)
		}
		if _, _, err := begin(func(p *sweep.Pass) { p.Name, p.Command = first.Pass, sweep.Backfill }); err == nil {
			t.Error("a backfill with the name of a verification: got no error")
		}
	})
}

// TestByIndex: n processes share the ranges of a plan; Here puts them together without examining anything again.
func TestByIndex(t *testing.T) {
	stores, reports := twoBuckets(), newMemory()
	var examined atomic.Int64
	p := sweep.Pass{
		Command: sweep.Verify, Buckets: []string{"photos", "Mail.Archive"}, Reports: reports, Name: "audit-1", Shards: 7, Cut: sweep.Cut{Items: 20},
		Open: openStores(stores, func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
			examined.Add(1)
			return ok(ctx, i)
		}),
	}
	var sum int64
	failed := make(chan error, 3)
	totals := make(chan int64, 3)
	for i := range 3 {
		go func() {
			p := p
			s, err := p.ByIndex(t.Context(), i, 3)
			failed <- err
			totals <- s.Totals.Sum()
		}()
	}
	for range 3 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
		sum += <-totals
	}
	if sum != 283 || examined.Load() != 283 {
		t.Errorf("three parts examined %d objects and have %d rows, want 283", examined.Load(), sum)
	}
	var got rows
	p.Rows = got.add
	if s, err := p.Here(t.Context()); err != nil || !s.Complete {
		t.Errorf("got %+v, %v", s, err)
	}
	if diff := cmp.Diff(all(stores), got); diff != "" {
		t.Errorf("rows: %s", diff)
	}
	if examined.Load() != 283 {
		t.Error("objects were examined again")
	}
	for _, index := range []int{-1, 3} {
		if _, err := p.ByIndex(t.Context(), index, 3); err == nil {
			t.Errorf("part %d of 3: got no error", index)
		}
	}
}

// TestHereEndsWithErrors: the end of a pass that cannot go on says why.
func TestHereEndsWithErrors(t *testing.T) {
	full := errors.New("disk full")
	for name, tc := range map[string]struct {
		change func(p *sweep.Pass)
		want   string
	}{
		"no buckets":     {func(p *sweep.Pass) { p.Buckets = nil }, "a pass needs a bucket"},
		"unknown bucket": {func(p *sweep.Pass) { p.Buckets = []string{"x"} }, `bucket "x" is not configured`},
		"bad name":       {func(p *sweep.Pass) { p.Name = "../x" }, `pass "../x": a name has 1 to 63 lower-case letters, digits, hyphens and underscores, and begins with a letter or digit`},
		"bad glob":       {func(p *sweep.Pass) { p.Options.Include = []string{"["} }, `"[" is not a glob`},
		"bad sample":     {func(p *sweep.Pass) { p.Options.Sample = 5 }, "a sample of 5 is not from 0 to 1"},
		"rows":           {func(p *sweep.Pass) { p.Rows = func([]sweep.Row) error { return full } }, "disk full"},
	} {
		t.Run(name, func(t *testing.T) {
			p := sweep.Pass{Command: sweep.Verify, Buckets: []string{"photos"}, Reports: newMemory(), Open: openStores(twoBuckets(), ok)}
			tc.change(&p)
			if s, err := p.Here(t.Context()); errorText(err) != tc.want || s.Complete {
				t.Errorf("got %+v, %q; want %q", s, errorText(err), tc.want)
			}
		})
	}
}

// TestOneBucketFails: a bucket that cannot be listed keeps no other bucket from its rows, and the pass is not complete.
func TestOneBucketFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, reports := range []sweep.Reports{nil, newMemory()} {
			stores := twoBuckets()
			var got rows
			p := sweep.Pass{
				Command: sweep.Verify, Buckets: []string{"Mail.Archive", "photos"}, Reports: reports, Rows: got.add, Open: openStores(stores, ok),
			}
			stores["Mail.Archive"].failAt = func(int) error { return errStore }
			if s, err := p.Here(t.Context()); !errors.Is(err, errStore) || s.Complete {
				t.Errorf("got %+v, %v; want %v", s, err, errStore)
			}
			if diff := cmp.Diff(all(map[string]*store{"photos": stores["photos"]}), got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		}
	})
}

// TestSlices: a huge object is continued slice by slice, with the objects around it examined once or twice.
func TestSlices(t *testing.T) {
	for _, reports := range []sweep.Reports{nil, newMemory()} {
		t.Run(fmt.Sprintf("reports=%v", reports != nil), func(t *testing.T) {
			stores := map[string]*store{"b": newStore(100)}
			var slices atomic.Int64
			var got rows
			p := sweep.Pass{
				Command: sweep.Verify, Buckets: []string{"b"}, Reports: reports, Name: "n", Rows: got.add,
				Open: openStores(stores, func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
					if i.At == "k000040" && slices.Add(1) < 5 {
						return sweep.Row{}, pipeline.Unfinished(slices.Load())
					}
					return ok(ctx, i)
				}),
			}
			if s, err := p.Here(t.Context()); err != nil || !s.Complete {
				t.Errorf("got %+v, %v", s, err)
			}
			if diff := cmp.Diff(all(stores), got); diff != "" {
				t.Errorf("rows: %s", diff)
			}
		})
	}
}

// TestNames: whatever a bucket is called, the names of its reports have the letters that all stores take, and
// those of different passes differ.
func TestNames(t *testing.T) {
	reports := newMemory() // it checks names
	stores := map[string]*store{"UPPER": newStore(3), "upper": newStore(3), "a.b": newStore(3), "ü /..": newStore(3), "plan.json": newStore(3)}
	for i, name := range []string{"audit", "a--b", "2", strings.Repeat("n", 63), ""} {
		p := sweep.Pass{Command: sweep.Verify, Buckets: slices.Collect(maps.Keys(stores)), Reports: reports, Name: name, Open: openStores(stores, ok)}
		if s, err := p.Here(t.Context()); err != nil || s.Totals.Sum() != 15 {
			t.Errorf("pass %q: got %+v, %v; want 15 rows", name, s, err)
		}
		if plans, all := reports.count("plans/"), reports.count("reports/"); plans != i+1 || all != 5*(i+1) {
			t.Errorf("after pass %q: %d plans and %d reports, want %d and %d", name, plans, all, i+1, 5*(i+1))
		}
	}
}

// TestOthers: passes that share their reports, and begin at the same time, do not take each other's plan or rows.
func TestOthers(t *testing.T) {
	t.Run("begun in the same second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			reports, stores := newMemory(), twoBuckets()
			for bucket, s := range stores {
				p := sweep.Pass{Command: sweep.Verify, Buckets: []string{bucket}, Reports: reports, Open: openStores(stores, ok)}
				if got, err := p.Here(t.Context()); err != nil || got.Totals.Sum() != int64(len(s.keys)) {
					t.Errorf("%s: got %+v, %v; want %d rows", bucket, got, err, len(s.keys))
				}
			}
		})
	})
	t.Run("buckets of one name in different places", func(t *testing.T) {
		reports := newMemory()
		for _, name := range []string{"audit", ""} {
			for i, place := range []string{"file:///a/data", "file:///b/data"} {
				stores := map[string]*store{"data": newStore(10 + i)}
				p := sweep.Pass{
					Command: sweep.Verify, Buckets: []string{"data"}, Places: map[string]string{"data": place}, Reports: reports, Name: name,
					Open: openStores(stores, ok), Rows: func([]sweep.Row) error { return errors.New("interrupted") },
				}
				_, _ = p.Here(t.Context()) // leaves an unfinished pass
				p.Rows = nil
				switch got, err := p.Here(t.Context()); {
				case name != "" && i == 1:
					if err == nil || !strings.Contains(err.Error(), "choose another name") {
						t.Errorf("the name of another pass: got %+v, %v; want an error", got, err)
					}
				case err != nil || got.Totals.Sum() != int64(10+i):
					t.Errorf("pass %q of %s: got %+v, %v; want %d rows", name, place, got, err, 10+i)
				}
			}
		}
	})
}
