package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// start writes the plan of a pass and sends its roots.
func start(t *testing.T, w *world) {
	t.Helper()
	stop := make(chan struct{})
	ended := make(chan struct{})
	p := (&process{world: w, kill: func() {}}).pass(new(rows))
	p.Stop = stop
	go func() {
		defer close(ended)
		_, _ = p.ByQueue(t.Context(), func(_ context.Context, s pipeline.Shard) error { w.send(s); return nil })
	}()
	synctest.Wait()
	close(stop)
	<-ended
	if len(w.sent) == 0 {
		t.Fatal("no shard was sent")
	}
}

// TestDoubles: two workers receive every message twice, at different times, while objects come and go. The rows are in
// order, none is there twice, and every object that was there all the time has one.
func TestDoubles(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				s := newStore(120)
				w := newWorld(map[string]*store{"b": s})
				w.options.Parquet = seed%2 == 1
				start(t, w)
				stable := slices.DeleteFunc(slices.Clone(s.keys), func(key string) bool { return strings.HasSuffix(key, "3") })

				var mu sync.Mutex
				wait := func(most time.Duration) {
					mu.Lock()
					d := time.Duration(random.Int64N(int64(most)))
					mu.Unlock()
					time.Sleep(d)
				}
				w.examine = func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
					wait(2 * time.Second)
					return ok(ctx, i)
				}
				var running sync.WaitGroup
				var deliver func(double int, s pipeline.Shard)
				workers := []*sweep.Worker{{Concurrency: 3, Cut: sweep.Cut{Items: 7}}, {Concurrency: 1, Cut: sweep.Cut{Items: 11}}}
				handle := func(double int, s pipeline.Shard) {
					running.Go(func() {
						wait(30 * time.Second)
						if err := workers[double].Handle(t.Context(), event(s)); err != nil {
							t.Errorf("worker %d, %v: %v", double, s, err)
						}
					})
				}
				deliver = func(_ int, s pipeline.Shard) { handle(0, s); handle(1, s) }
				for i, worker := range workers {
					p := &process{world: w, kill: func() {}}
					worker.Reports, worker.Open = p, p.open
					worker.Send = func(_ context.Context, s pipeline.Shard) error {
						mu.Lock()
						w.sent = append(w.sent, s)
						first := slices.Index(w.sent, s) == len(w.sent)-1 // else: a double of a double
						mu.Unlock()
						if first {
							deliver(i, s)
						}
						return nil
					}
				}
				for _, s := range slices.Clone(w.queue) {
					deliver(0, s)
				}
				done := make(chan struct{})
				var changing sync.WaitGroup
				changing.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-done:
							return
						case <-time.After(time.Second):
						}
						s.remove(fmt.Sprintf("k%06d", n%12*10+3))
						s.add(fmt.Sprintf("k%06d+", n*7%120))
					}
				})
				running.Wait()
				close(done)
				changing.Wait()

				var got rows
				p := (&process{world: w, kill: func() {}}).pass(&got)
				p.Open = func(_ context.Context, p sweep.Plan, bucket string) (sweep.Bucket, error) {
					return sweep.Bucket{}, errors.New("the workers have left a shard")
				}
				if s, err := p.Here(t.Context()); err != nil || !s.Complete {
					t.Fatalf("got %+v, %v", s, err)
				}
				if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
					t.Errorf("the rows are not in order, or there are doubles: %q", got)
				}
				for _, key := range stable {
					if !slices.Contains(got, "b/"+key) {
						t.Errorf("%s has no row", key)
					}
				}
			})
		})
	}
}

// after returns the number of the key that a range begins after; -1: it begins with the first.
func after(position string) int {
	n := -1
	_, _ = fmt.Sscanf(position, "k%d", &n) // of the empty position it is -1
	return n
}

// TestAnotherWorkerIsFirst: a worker whose report exists when it has done its work sends what the other report names.
func TestAnotherWorkerIsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]*store{"b": newStore(120)})
		start(t, w)
		root := w.queue[0]
		worker := func(items int, sent *[]pipeline.Shard) *sweep.Worker {
			p := &process{world: w, kill: func() {}}
			return &sweep.Worker{Reports: w.reports, Open: p.open, Cut: sweep.Cut{Items: items}, Send: func(_ context.Context, s pipeline.Shard) error {
				*sent = append(*sent, s)
				return nil
			}}
		}
		var first, second, third []pipeline.Shard
		w.reports.before = func(operation, _ string) error {
			if operation == "put" {
				w.reports.before = nil
				if err := worker(3, &first).Handle(t.Context(), event(root)); err != nil {
					t.Error(err)
				}
			}
			return nil
		}
		for _, sent := range []*[]pipeline.Shard{&second, &third} { // the third finds the report before it begins
			if err := worker(8, sent).Handle(t.Context(), event(root)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(first, *sent); diff != "" || len(first) == 0 {
				t.Errorf("the other worker has sent other shards: %s", diff)
			}
		}
		if want := fmt.Sprintf("k%06d", after(root.After)+3); first[0].After != want {
			t.Errorf("the first shard that follows begins after %q, want %s", first[0].After, want)
		}
	})
}

// TestWorkerSlices: an object that needs many slices becomes a shard of its own, which is continued; the others are
// not examined in each slice.
func TestWorkerSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]*store{"b": newStore(100)})
		examined := make(map[string]int)
		var mu sync.Mutex
		w.examine = func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
			mu.Lock()
			defer mu.Unlock()
			if examined[i.At]++; i.At == "k000033" && examined[i.At] < 20 {
				return sweep.Row{}, pipeline.Unfinished(int64(examined[i.At]))
			}
			return ok(ctx, i)
		}
		start(t, w)
		(&process{world: w, kill: func() {}}).work(t, &sweep.Worker{Concurrency: 4, Cut: sweep.Cut{Items: 50}})
		checkWhole(t, w)
		if examined["k000033"] != 20 {
			t.Errorf("the huge object had %d slices, want 20", examined["k000033"])
		}
		delete(examined, "k000033")
		if most := slices.Max(slices.Collect(maps.Values(examined))); most > 3 {
			t.Errorf("an object beside the huge one was examined %d times, want 3 at most", most)
		}
	})
}

// TestWorkerStops: a worker that is to end cuts its shards and keeps what is done. One whose lease is lost keeps it, too,
// but has not sent what follows.
func TestWorkerStops(t *testing.T) {
	for name, lost := range map[string]bool{"drain": false, "lease lost": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(map[string]*store{"b": newStore(100)})
				start(t, w)
				w.queue = w.queue[:1]
				stop := make(chan struct{})
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				examined := 0
				w.examine = func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
					if examined++; examined == 5 && lost {
						cancel(pipeline.ErrLeaseLost)
					} else if examined == 5 {
						close(stop)
					}
					return ok(ctx, i)
				}
				p := &process{world: w, kill: func() {}}
				sent := 0
				worker := &sweep.Worker{Reports: w.reports, Open: p.open, Concurrency: 1, Stop: stop, Send: func(context.Context, pipeline.Shard) error {
					sent++
					return nil
				}}
				err := worker.Handle(ctx, event(w.queue[0]))
				if reports := w.reports.count("reports/"); examined != 5 || reports != 1 {
					t.Errorf("%d objects were examined, and %d reports written; want 5 and 1", examined, reports)
				}
				if lost && (!errors.Is(err, pipeline.ErrLeaseLost) || sent != 0) || !lost && (err != nil || sent != 1) {
					t.Errorf("got %v, and %d shards sent", err, sent)
				}
				if lost { // another worker continues
					if err := worker.Handle(t.Context(), event(w.queue[0])); err != nil || sent != 1 || examined != 5 {
						t.Errorf("the next delivery: got %v, %d shards sent, %d objects examined; want 1 and 5", err, sent, examined)
					}
				}
			})
		})
	}
}

// TestQueueRefuses: a message is not done until the queue has the shards that follow. The next delivery does not work
// again.
func TestQueueRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]*store{"b": newStore(100)})
		start(t, w)
		examined, refusals := 0, 3
		w.examine = func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
			examined++
			return ok(ctx, i)
		}
		var sent []pipeline.Shard
		p := &process{world: w, kill: func() {}}
		worker := &sweep.Worker{Reports: w.reports, Open: p.open, Concurrency: 1, Cut: sweep.Cut{Items: 8}, Send: func(_ context.Context, s pipeline.Shard) error {
			if refusals--; refusals >= 0 {
				return errors.New("the queue is full")
			}
			sent = append(sent, s)
			return nil
		}}
		for range 3 {
			err := worker.Handle(t.Context(), event(w.queue[0]))
			if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "the queue is full") {
				t.Errorf("got %v, want that of the queue", err)
			}
		}
		if err := worker.Handle(t.Context(), event(w.queue[0])); err != nil || len(sent) == 0 || examined != 8 {
			t.Errorf("got %v, %d shards sent, %d examined; want some, and 8", err, len(sent), examined)
		}
	})
}

// TestListingFailsInTheMiddle: what was listed is kept, and the shard that follows fails until the store answers.
func TestListingFailsInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(100)
		w := newWorld(map[string]*store{"b": s})
		start(t, w)
		broken := true
		asked, root := s.requests, w.queue[0]
		want := fmt.Sprintf("k%06d", after(root.After)+10)
		s.failAt = func(request int) error {
			if broken && request > asked+1 {
				return errStore
			}
			return nil
		}
		p := &process{world: w, kill: func() {}}
		worker := &sweep.Worker{Reports: w.reports, Open: p.open, Send: p.Send}
		w.queue = w.queue[:1]
		if err := worker.Handle(t.Context(), event(w.queue[0])); err != nil || len(w.queue) != 2 || w.queue[1].After != want {
			t.Fatalf("got %v, queue %v; want the rest after %s in the queue", err, w.queue, want)
		}
		if err := worker.Handle(t.Context(), event(w.queue[1])); !errors.Is(err, errStore) || pipeline.Classify(err) != pipeline.ClassTransient {
			t.Errorf("the rest: got %v, want %v", err, errStore)
		}
		broken = false
		w.queue = slices.Clone(w.sent) // of some roots the messages were lost: they are sent again
		(&process{world: w, kill: func() {}}).work(t, &sweep.Worker{})
		checkWhole(t, w)
	})
}

// TestPositionIsTooLong: a shard that no message can carry is not made. The error says where it would begin.
func TestPositionIsTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(5)
		s.keys = append(s.keys, "k"+strings.Repeat("x", pipeline.MaxPosition), "kz")
		w := newWorld(map[string]*store{"b": s})
		p := (&process{world: w, kill: func() {}}).pass(new(rows))
		p.Shards, p.Cut = 1, sweep.Cut{Items: 6}
		got, err := p.Here(t.Context())
		if pipeline.Classify(err) != pipeline.ClassPermanent || got.Complete || !strings.Contains(err.Error(), `bucket b after "kxx`) || len(err.Error()) > 1000 {
			t.Errorf("got %+v, %v; want a permanent error", got, err)
		}
		if n := w.reports.count("reports/"); n != 0 {
			t.Errorf("%d reports were written", n)
		}
	})
}

// TestWorkerTurns: a shard is run when its bucket says so. The time that it waits does not count as time of its run, and
// the end of its delivery ends the wait.
func TestWorkerTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]*store{"b": newStore(30)})
		start(t, w)
		p := &process{world: w, kill: func() {}}
		turns, running, most := make(chan struct{}, 1), 0, 0
		worker := &sweep.Worker{Reports: w.reports, Send: p.Send, Cut: sweep.Cut{Items: 100, Time: time.Second}}
		worker.Open = func(ctx context.Context, plan sweep.Plan, name string) (sweep.Bucket, error) {
			b, err := p.open(ctx, plan, name)
			b.Turn = func(ctx context.Context) (func(), error) {
				select {
				case turns <- struct{}{}:
					running++
					most = max(most, running)
					time.Sleep(2 * time.Second)
					return func() { running--; <-turns }, nil
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
			}
			return b, err
		}
		var handling sync.WaitGroup
		for _, s := range slices.Clone(w.queue) {
			handling.Go(func() {
				if err := worker.Handle(t.Context(), event(s)); err != nil {
					t.Errorf("%v: %v", s, err)
				}
			})
		}
		handling.Wait()
		if most != 1 || running != 0 {
			t.Errorf("%d shards ran at the same time, and %d do still; want 1 and 0", most, running)
		}
		turns <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for name := range w.reports.objects {
			if strings.HasPrefix(name, "reports/") {
				delete(w.reports.objects, name)
			}
		}
		if err := worker.Handle(ctx, event(w.sent[0])); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a delivery that ends while its shard waits: got %v", err)
		}
	})
}
