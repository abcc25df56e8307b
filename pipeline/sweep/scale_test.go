package sweep_test

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

var (
	manyObjects = flag.Int("scale.objects", 5_000, "objects of TestManyShards, ten to a report")
	manyWorkers = flag.Int("scale.workers", 40, "shards in work at the same time in TestManyShards")
	shardTime   = flag.Duration("scale.time", 10*time.Minute, "how long a shard takes in TestManyShards")
)

// A store answers the coordinator of TestManyShards after these times.
const (
	getTime  = 20 * time.Millisecond
	listTime = 100 * time.Millisecond // for each page
	listPage = 1000                   // names
)

// counted is reports as the coordinator sees them: it takes time to ask for them, and what it asks for is counted.
type counted struct {
	*memory
	gets, lists atomic.Int64
}

func (c *counted) Get(ctx context.Context, name string) ([]byte, error) {
	c.gets.Add(1)
	time.Sleep(getTime)
	return c.memory.Get(ctx, name)
}

func (c *counted) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		n := 0
		page := func() {
			c.lists.Add(1)
			time.Sleep(listTime)
		}
		for name, err := range c.memory.Names(ctx, prefix) {
			if n%listPage == 0 {
				page()
			}
			if n++; !yield(name, err) {
				return
			}
		}
		if n == 0 {
			page()
		}
	}
}

// numbered is a bucket of so many objects that can be divided anywhere, as keys with random beginnings can be.
type numbered int

func (n numbered) key(i int) string { return fmt.Sprintf("k%012d", i) }

// bounds returns the numbers of the first object in a range, and of the first after it.
func (n numbered) bounds(r sweep.Range) (from, to int) {
	to = int(n)
	if r.After != "" {
		from, _ = strconv.Atoi(r.After[1:])
		from++
	}
	if r.Through != "" {
		to, _ = strconv.Atoi(r.Through[1:])
		to = min(to+1, int(n))
	}
	return from, to
}

func (n numbered) Items(_ context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	return func(yield func(sweep.Item, error) bool) {
		for i, to := n.bounds(r); i < to; i++ {
			if !yield(sweep.Item{At: n.key(i), Object: pipeline.Object{Key: n.key(i), Size: 1}}, nil) {
				return
			}
		}
	}
}

func (n numbered) Split(_ context.Context, r sweep.Range) (string, bool, error) {
	from, to := n.bounds(r)
	if to-from < 2 {
		return "", false, nil
	}
	return n.key(from + (to-from)/2 - 1), true, nil
}

// TestManyShards: a pass by workers has one row for each object, however many shards it has. It logs how long the whole
// pass takes, on a simulated clock, and how much of that is the work of the shards.
func TestManyShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each = 10 // objects in a report
		objects := numbered(*manyObjects)
		reports := newMemory()
		ctx, stop := context.WithCancel(t.Context())
		var (
			mu    sync.Mutex
			queue []pipeline.Shard
			most  int // messages in the queue
			wake  = sync.NewCond(&mu)
			open  = func(context.Context, sweep.Plan, string) (sweep.Bucket, error) {
				return sweep.Bucket{Source: objects, Keys: true, Examine: ok}, nil
			}
			send = func(_ context.Context, s pipeline.Shard) error {
				mu.Lock()
				defer mu.Unlock()
				queue = append(queue, s)
				most = max(most, len(queue))
				wake.Signal()
				return nil
			}
		)
		worker := sweep.Worker{Reports: reports, Open: open, Send: send, Concurrency: 1, Cut: sweep.Cut{Items: each}}
		var working sync.WaitGroup
		for range *manyWorkers {
			working.Go(func() {
				for {
					mu.Lock()
					for len(queue) == 0 && ctx.Err() == nil {
						wake.Wait()
					}
					if ctx.Err() != nil {
						mu.Unlock()
						return
					}
					s := queue[0]
					queue = queue[1:]
					mu.Unlock()
					time.Sleep(*shardTime)
					if err := worker.Handle(ctx, pipeline.Event{Kind: pipeline.Sweep, Object: pipeline.Object{Bucket: s.Bucket}, Shard: &s}); err != nil {
						t.Errorf("%s: %v", s, err)
					}
				}
			})
		}
		began := time.Now()
		rows := 0
		var told time.Duration // until the last report was seen
		asked := &counted{memory: reports}
		p := sweep.Pass{
			Command: sweep.Verify, Buckets: []string{"b"}, Reports: asked, Name: "n", Open: open, Shards: 64,
			Rows:     func(r []sweep.Row) error { rows += len(r); return nil },
			Progress: func(sweep.Progress) { told = time.Since(began) },
		}
		s, err := p.ByQueue(t.Context(), send)
		if err != nil || rows != int(objects) || s.Totals.Sum() != int64(objects) {
			t.Errorf("got %d rows, %+v, %v; want %d", rows, s, err, objects)
		}
		ended := time.Since(began)
		mu.Lock()
		stop()
		wake.Broadcast()
		mu.Unlock()
		working.Wait()
		shards := reports.count("reports/")
		gets, lists := float64(asked.gets.Load())/float64(shards), float64(asked.lists.Load())/float64(shards)
		if gets > 2.2 || lists > 0.4 {
			t.Errorf("the pass sent %.2f GET and %.2f LIST for each report", gets, lists)
		}
		ideal := time.Duration(shards / *manyWorkers) * *shardTime
		t.Logf("%d objects, %d reports, %d workers: complete after %s, at best %s, ended after %s; %.2f GET and %.2f LIST for each report; at most %d messages in the queue",
			objects, shards, *manyWorkers, told.Round(time.Second), ideal, ended.Round(time.Second),
			gets, lists, most)
	})
}
