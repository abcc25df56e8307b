package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestRunner: every way in which a run ends leaves the rows that come before the end, in order and without gaps, and
// says where it ended.
func TestRunner(t *testing.T) {
	stop := make(chan struct{})
	close(stop)
	for name, tc := range map[string]struct {
		runner  sweep.Runner
		in      sweep.Range
		fails   func(request int) error
		examine func(t *testing.T, cancel func(), i sweep.Item) (sweep.Row, error)
		want    sweep.End
		rows    int
		err     string
	}{
		"everything": {want: sweep.End{At: "k000099", Done: true}, rows: 100},
		"a range":    {in: sweep.Range{After: "k000009", Through: "k000020"}, want: sweep.End{At: "k000020", Done: true}, rows: 11},
		"an empty range": {
			in: sweep.Range{After: "k000020", Through: "k000020"}, want: sweep.End{At: "k000020", Done: true},
		},
		"selected": {
			runner: sweep.Runner{Selects: func(i sweep.Item) bool { return strings.HasSuffix(i.At, "5") }},
			want:   sweep.End{At: "k000099", Done: true}, rows: 10,
		},
		"cut after items": {runner: sweep.Runner{Cut: sweep.Cut{Items: 30}}, want: sweep.End{At: "k000029"}, rows: 30},
		"cut counts what is selected": {
			runner: sweep.Runner{Cut: sweep.Cut{Items: 3}, Selects: func(i sweep.Item) bool { return strings.HasSuffix(i.At, "5") }},
			want:   sweep.End{At: "k000025"}, rows: 3,
		},
		"cut by time": {
			runner: sweep.Runner{Cut: sweep.Cut{Time: 3500 * time.Millisecond}, Concurrency: 10},
			examine: func(_ *testing.T, _ func(), i sweep.Item) (sweep.Row, error) {
				time.Sleep(time.Second)
				return ok(t.Context(), i)
			},
			want: sweep.End{At: "k000039"}, rows: 40,
		},
		"stopped before it began": {runner: sweep.Runner{Stop: stop}},
		"the listing fails and recovers": {
			fails: func(request int) error {
				if request%3 == 0 {
					return errStore
				}
				return nil
			},
			want: sweep.End{At: "k000099", Done: true}, rows: 100,
		},
		"the listing fails for good": {
			fails: func(request int) error {
				if request > 4 {
					return errStore
				}
				return nil
			},
			want: sweep.End{At: "k000039"}, rows: 40, err: `list bucket b after "k000039": 503 slow down`,
		},
		"the list is refused": {
			fails: func(int) error { return pipeline.Permanent(errors.New("no such bucket")) },
			err:   `list bucket b after "": no such bucket`,
		},
		"an item is unfinished": {
			examine: func(_ *testing.T, _ func(), i sweep.Item) (sweep.Row, error) {
				if i.At == "k000050" {
					return sweep.Row{}, pipeline.Unfinished(7)
				}
				return ok(t.Context(), i)
			},
			want: sweep.End{At: "k000049", Unfinished: "k000050"}, rows: 50, err: "not finished, continues later (progress 7)",
		},
		"the first item is unfinished": {
			examine: func(*testing.T, func(), sweep.Item) (sweep.Row, error) { return sweep.Row{}, pipeline.Unfinished(7) },
			want:    sweep.End{Unfinished: "k000000"}, err: "not finished, continues later (progress 7)",
		},
		"an item panics": {
			examine: func(_ *testing.T, _ func(), i sweep.Item) (sweep.Row, error) {
				if i.At == "k000050" {
					panic("odd object")
				}
				return ok(t.Context(), i)
			},
			want: sweep.End{At: "k000099", Done: true}, rows: 100,
		},
		"items without rows": {
			examine: func(_ *testing.T, _ func(), i sweep.Item) (sweep.Row, error) {
				if i.At > "k000020" {
					return sweep.Row{}, nil
				}
				return ok(t.Context(), i)
			},
			want: sweep.End{At: "k000099", Done: true}, rows: 21,
		},
		"ctx ends": {
			runner: sweep.Runner{Concurrency: 1},
			examine: func(t *testing.T, cancel func(), i sweep.Item) (sweep.Row, error) {
				if i.At == "k000050" {
					cancel()
					return sweep.Row{}, context.Canceled
				}
				return ok(t.Context(), i)
			},
			want: sweep.End{At: "k000049"}, rows: 50, err: "lease lost",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				s := newStore(100)
				s.failAt = tc.fails
				r := tc.runner
				if r.Stop != nil { // a channel of another bubble
					stop := make(chan struct{})
					close(stop)
					r.Stop = stop
				}
				r.Bucket, r.Source, r.Examine = "b", s, ok
				if tc.examine != nil {
					r.Examine = func(_ context.Context, i sweep.Item) (sweep.Row, error) {
						return tc.examine(t, func() { cancel(pipeline.ErrLeaseLost) }, i)
					}
				}
				var keys []string
				end, err := r.Run(ctx, tc.in, collect(&keys))
				if diff := cmp.Diff(tc.want, end); diff != "" {
					t.Errorf("end: %s", diff)
				}
				if text := errorText(err); text != tc.err {
					t.Errorf("error: got %q, want %q", text, tc.err)
				}
				if len(keys) != tc.rows || !slices.IsSorted(keys) {
					t.Errorf("got %d rows, in order: %v; want %d", len(keys), slices.IsSorted(keys), tc.rows)
				}
			})
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestRunnerStops: Stop ends the list and the wait for it at once; the items in work are finished, and their rows told.
func TestRunnerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(100)
		s.delay = time.Second
		stop := make(chan struct{})
		began := time.Now()
		r := sweep.Runner{Bucket: "b", Source: s, Stop: stop, Concurrency: 100, Examine: func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
			if i.At == "k000019" {
				close(stop)
				time.Sleep(5 * time.Second)
			}
			return ok(ctx, i)
		}}
		var keys []string
		end, err := r.Run(t.Context(), sweep.Range{}, collect(&keys))
		if err != nil || end != (sweep.End{At: "k000019"}) || len(keys) != 20 {
			t.Errorf("got %+v with %d rows, %v; want 20 rows through k000019", end, len(keys), err)
		}
		if d := time.Since(began); d != 7*time.Second {
			t.Errorf("it took %s, want 2 s of listing and 5 s for the item in work", d)
		}
	})
}

// odd is a source that yields what a test wants.
type odd []sweep.Item

func (o odd) Items(context.Context, sweep.Range) iter.Seq2[sweep.Item, error] {
	return func(yield func(sweep.Item, error) bool) {
		for _, i := range o {
			var err error
			if i.Class == "broken" {
				err = errors.New("its name is not UTF-8")
			}
			if !yield(i, err) {
				return
			}
		}
	}
}

func (o odd) Split(context.Context, sweep.Range) (string, bool, error) { return "", false, nil }

// TestOddSources: an item with a fault becomes a row. A list that is not in order ends the run: a pass would leave
// objects out.
func TestOddSources(t *testing.T) {
	for name, tc := range map[string]struct {
		source odd
		want   []sweep.Row
		err    string
	}{
		"a fault of one item": {
			source: odd{{At: "a", Class: "broken"}, {At: "b", Class: "broken", Object: pipeline.Object{Key: "key of b"}}},
			want: []sweep.Row{
				{Bucket: "b", Key: "a", State: sweep.Unreadable, Reason: "its name is not UTF-8"},
				{Bucket: "b", Key: "key of b", At: "b", State: sweep.Unreadable, Reason: "its name is not UTF-8"},
			},
		},
		"not in order":    {source: odd{{At: "b"}, {At: "a"}}, err: `list bucket b after "b": "a" is listed after "b": a pass needs the order of bytes`},
		"twice":           {source: odd{{At: "b"}, {At: "b"}}, err: `list bucket b after "b": "b" is listed after "b": a pass needs the order of bytes`},
		"after the range": {source: odd{{At: "x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := sweep.Runner{Bucket: "b", Source: tc.source, Examine: func(context.Context, sweep.Item) (sweep.Row, error) { return sweep.Row{}, nil }}
			var rows []sweep.Row
			_, err := r.Run(t.Context(), sweep.Range{Through: "c"}, func(r []sweep.Row) error { rows = append(rows, r...); return nil })
			if errorText(err) != tc.err {
				t.Errorf("error: got %q, want %q", errorText(err), tc.err)
			}
			if diff := cmp.Diff(tc.want, rows); diff != "" {
				t.Errorf("rows: %s", diff)
			}
		})
	}
}

// TestTellFails: when rows cannot be told, the run ends at once, and its end does not count them.
func TestTellFails(t *testing.T) {
	full, told := errors.New("disk full"), 0
	r := sweep.Runner{Bucket: "b", Source: newStore(100_000), Examine: ok}
	end, err := r.Run(t.Context(), sweep.Range{}, func(rows []sweep.Row) error {
		if told+len(rows) > 500 {
			return full
		}
		told += len(rows)
		return nil
	})
	want := ""
	if told > 0 {
		want = fmt.Sprintf("k%06d", told-1)
	}
	if !errors.Is(err, full) || end != (sweep.End{At: want}) {
		t.Errorf("got %+v, %v; want the end at %q, %v", end, err, want, full)
	}
}

// many is a source of so many items that keeps none of them.
type many int

func (m many) Items(_ context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	return func(yield func(sweep.Item, error) bool) {
		first := 0
		if _, err := fmt.Sscanf(r.After, "photos/%d.raw", &first); err == nil {
			first++
		}
		for i := first; i < int(m); i++ {
			key := fmt.Sprintf("photos/%07d.raw", i)
			if !yield(sweep.Item{At: key, Object: pipeline.Object{Key: key, Size: 1}}, nil) {
				return
			}
		}
	}
}

func (m many) Split(context.Context, sweep.Range) (string, bool, error) { return "", false, nil }

// TestMemory: a pass over many objects takes no more memory than one over a tenth of them.
func TestMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for name, tc := range map[string]struct {
		reports sweep.Reports
		objects int
	}{"without reports": {nil, 1_000_000}, "with reports": {keepsNothing{}, 100_000}} {
		t.Run(name, func(t *testing.T) {
			var early, late uint64
			n := 0
			p := sweep.Pass{
				Command: sweep.Verify, Buckets: []string{"b"}, Reports: tc.reports, Name: "n",
				Open: func(context.Context, sweep.Plan, string) (sweep.Bucket, error) {
					return sweep.Bucket{Source: many(tc.objects), Examine: ok}, nil
				},
				Rows: func(rows []sweep.Row) error {
					tenth := tc.objects / 10
					before := n / tenth
					if n += len(rows); n/tenth != before && before == 0 {
						early = heap()
					} else if n/tenth != before {
						late = max(late, heap())
					}
					return nil
				},
			}
			if s, err := p.Here(t.Context()); err != nil || s.Totals.Sum() != int64(tc.objects) {
				t.Fatalf("got %+v, %v; want %d rows", s, err, tc.objects)
			}
			if late > early+8<<20 {
				t.Errorf("the heap grew from %d MiB after a tenth of the rows to %d MiB", early>>20, late>>20)
			}
		})
	}
}

// keepsNothing takes reports and forgets them.
type keepsNothing struct{}

func (keepsNothing) Put(context.Context, string, []byte) error { return nil }
func (keepsNothing) Get(context.Context, string) ([]byte, error) {
	return nil, pipeline.ErrNotFound
}
func (keepsNothing) Names(context.Context, string) iter.Seq2[string, error] {
	return func(func(string, error) bool) {}
}

// BenchmarkRunner is what a run costs for each item without the work on it.
func BenchmarkRunner(b *testing.B) {
	for _, width := range []int{1, 64} {
		b.Run(fmt.Sprintf("concurrency=%d", width), func(b *testing.B) {
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				r := sweep.Runner{Bucket: "b", Source: many(1_000_000), Examine: ok, Concurrency: width}
				if _, err := r.Run(b.Context(), sweep.Range{}, func(rs []sweep.Row) error { rows += len(rs); return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
