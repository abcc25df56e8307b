package sweep_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// world is what outlives processes: the buckets, the reports, and the queue of the workers.
type world struct {
	stores  map[string]*store
	reports *memory
	examine sweep.Examine
	options sweep.Options // of passes

	mu    sync.Mutex
	queue []pipeline.Shard
	sent  []pipeline.Shard // all that was ever sent
}

func newWorld(stores map[string]*store) *world {
	return &world{stores: stores, reports: newMemory(), examine: ok}
}

func (w *world) first() (pipeline.Shard, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return pipeline.Shard{}, false
	}
	return w.queue[0], true
}

func (w *world) send(s pipeline.Shard) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue, w.sent = append(w.queue, s), append(w.sent, s)
}

// remove acknowledges the message of a shard.
func (w *world) remove(s pipeline.Shard) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.queue, s); i >= 0 {
		w.queue = slices.Delete(w.queue, i, i+1)
	}
}

var errKilled = errors.New("the process is dead")

// process is a process in the world that dies at one of its calls to a port: before the call has an effect, or after
// it.
type process struct {
	*world
	at    int // the number of the call, from 1; 0: never
	after bool
	kill  context.CancelFunc

	mu    sync.Mutex
	calls int
	dead  bool
}

func (p *process) call(f func() error) error {
	p.mu.Lock()
	p.calls++
	dying := p.calls == p.at
	if p.dead || dying && !p.after {
		p.dead = true
		p.mu.Unlock()
		p.kill()
		return errKilled
	}
	if dying {
		p.dead = true
	}
	p.mu.Unlock()
	err := f()
	if dying {
		p.kill()
		return errKilled
	}
	return err
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *process) Put(ctx context.Context, name string, data []byte) error {
	return p.call(func() error { return p.reports.Put(ctx, name, data) })
}

func (p *process) Get(ctx context.Context, name string) (data []byte, err error) {
	err = p.call(func() error { data, err = p.reports.Get(ctx, name); return err })
	return data, err
}

func (p *process) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := p.call(func() error { return nil }); err != nil {
			yield("", err)
			return
		}
		p.reports.Names(ctx, prefix)(yield)
	}
}

func (p *process) Send(_ context.Context, s pipeline.Shard) error {
	return p.call(func() error { p.send(s); return nil })
}

func (p *process) open(_ context.Context, _ sweep.Plan, bucket string) (sweep.Bucket, error) {
	s := p.stores[bucket]
	return sweep.Bucket{Source: mortal{p, s}, Keys: true, Examine: func(ctx context.Context, i sweep.Item) (row sweep.Row, err error) {
		err = p.call(func() error { row, err = p.examine(ctx, i); return err })
		return row, err
	}}, nil
}

// mortal is a store as a process sees it.
type mortal struct {
	p *process
	s *store
}

func (m mortal) Items(ctx context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	return func(yield func(sweep.Item, error) bool) {
		if err := m.p.call(func() error { return nil }); err != nil {
			yield(sweep.Item{}, err)
			return
		}
		m.s.Items(ctx, r)(yield)
	}
}

func (m mortal) Split(ctx context.Context, r sweep.Range) (at string, ok bool, err error) {
	err = m.p.call(func() error { at, ok, err = m.s.Split(ctx, r); return err })
	return at, ok, err
}

// event returns the event that the message of a shard is decoded to.
func event(s pipeline.Shard) pipeline.Event {
	return pipeline.Event{Kind: pipeline.Sweep, Object: pipeline.Object{Bucket: s.Bucket}, Shard: &s}
}

// work handles messages until the queue is empty, or the process dies.
func (p *process) work(t *testing.T, w *sweep.Worker) {
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	p.kill = kill
	w.Reports, w.Open, w.Send = p, p.open, p.Send
	for failures := 0; !p.isDead(); {
		s, ok := p.first()
		if !ok {
			return
		}
		err := w.Handle(ctx, event(s))
		if err == nil {
			_ = p.call(func() error { p.remove(s); return nil }) // a lost acknowledgement is a death
			continue
		}
		if failures++; !p.isDead() && (failures > 100 || pipeline.Classify(err) == pipeline.ClassPermanent) {
			t.Fatalf("shard %v: %v", s, err)
		}
	}
}

// pass is a pass over all buckets of the world, as a process begins it.
func (p *process) pass(got *rows) *sweep.Pass {
	return &sweep.Pass{
		Command: sweep.Verify, Options: p.options, Buckets: slices.Sorted(maps.Keys(p.stores)), Reports: p, Name: "audit", Shards: 3, Open: p.open,
		Cut: sweep.Cut{Items: 8}, Rows: got.add, Concurrency: 1,
	}
}

// TestWorkerIsKilled: a worker dies before or after any of its calls to a port, and another one receives the message
// again. Every object has exactly one row, in order, and no message is left.
func TestWorkerIsKilled(t *testing.T) {
	everyDeath(t, func(t *testing.T, after bool, at int) (died bool) {
		w := newWorld(map[string]*store{"a": newStore(30), "b": newStore(11)})
		w.options.Parquet = at%2 == 1
		starter := &process{world: w, kill: func() {}}
		none := rows{}
		stopped := make(chan struct{})
		p := starter.pass(&none)
		p.Stop = stopped
		begun := make(chan struct{})
		go func() { // the coordinator sends the roots and is killed
			defer close(begun)
			_, _ = p.ByQueue(t.Context(), starter.Send)
		}()
		synctest.Wait()
		close(stopped)
		<-begun

		mortal := &process{world: w, at: at, after: after}
		mortal.work(t, &sweep.Worker{Concurrency: 1, Cut: sweep.Cut{Items: 8}})
		(&process{world: w}).work(t, &sweep.Worker{Concurrency: 1, Cut: sweep.Cut{Items: 8}})
		checkWhole(t, w)
		return mortal.isDead()
	})
}

// TestCoordinatorIsKilled: the process that runs the pass by queue dies before or after any of its calls, and is
// started again, while a worker works.
func TestCoordinatorIsKilled(t *testing.T) {
	everyDeath(t, func(t *testing.T, after bool, at int) (died bool) {
		w := newWorld(map[string]*store{"a": newStore(30), "b": newStore(11)})
		done := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-done:
					return
				case <-time.After(time.Second):
					(&process{world: w}).work(t, &sweep.Worker{Concurrency: 1, Cut: sweep.Cut{Items: 8}})
				}
			}
		}()
		run := func(p *process) (rows, sweep.Summary, error) {
			ctx, kill := context.WithTimeout(t.Context(), 24*time.Hour)
			defer kill()
			p.kill = kill
			var got rows
			s, err := p.pass(&got).ByQueue(ctx, p.Send)
			return got, s, err
		}
		first := &process{world: w, at: at, after: after}
		got, s, err := run(first)
		if first.isDead() {
			got, s, err = run(&process{world: w})
		}
		close(done)
		<-ended
		if err != nil || !s.Complete || s.Totals.Sum() != 41 {
			t.Errorf("got %+v, %v; want 41 rows", s, err)
		}
		slices.Sort(got) // reports come in any order
		if diff := cmp.Diff(all(w.stores), got); diff != "" {
			t.Errorf("rows: %s", diff)
		}
		return first.isDead()
	})
}

// TestHereIsKilled is the same for a pass in one process.
func TestHereIsKilled(t *testing.T) {
	everyDeath(t, func(t *testing.T, after bool, at int) (died bool) {
		w := newWorld(map[string]*store{"a": newStore(30), "b": newStore(11)})
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		first := &process{world: w, at: at, after: after, kill: kill}
		var lost rows
		_, _ = first.pass(&lost).Here(ctx)
		checkWhole(t, w)
		return first.isDead()
	})
}

// everyDeath runs a test with the death at each call, until there are no more calls to die at.
func everyDeath(t *testing.T, run func(t *testing.T, after bool, at int) (died bool)) {
	for _, after := range []bool{false, true} {
		name, at := "before", 1
		if after {
			name = "after"
		}
		t.Run(name, func(t *testing.T) {
			for died := true; died; at++ {
				synctest.Test(t, func(t *testing.T) { died = run(t, after, at) })
				if t.Failed() {
					t.Fatalf("with a death %s call %d", name, at)
				}
			}
			if at < 20 {
				t.Errorf("the process could die only %d times", at)
			}
		})
	}
}

// checkWhole runs what is left of the pass here, and expects exactly one row for each object, in order.
func checkWhole(t *testing.T, w *world) {
	t.Helper()
	var got rows
	s, err := (&process{world: w, kill: func() {}}).pass(&got).Here(t.Context())
	if err != nil || !s.Complete {
		t.Errorf("got %+v, %v", s, err)
	}
	if diff := cmp.Diff(all(w.stores), got); diff != "" {
		t.Errorf("rows: %s", diff)
	}
	if len(w.queue) > 0 {
		t.Errorf("messages are left: %v", w.queue)
	}
}
