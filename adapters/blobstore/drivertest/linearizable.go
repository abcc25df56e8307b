package drivertest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

var (
	linearOperations = flag.Int("linearizable.operations", 0, "how many reads and writes of records TestLinearizable does in each store; 0: as many as its test says")
	linearSeed       = flag.Uint64("linearizable.seed", 1, "seed of the choices of TestLinearizable")
	linearKnown      = flag.Bool("linearizable.quarantined", false, "run what is known not to be linearizable, too")
)

const (
	clientsOfEach = 3                // bucket
	changesOfKey  = 10               // by each client, about; then the clients turn to new keys
	checkLimit    = 30 * time.Second // for the history of one key
)

// Clients read, write and delete few records of one store at the same time.
type Clients struct {
	// Buckets are the store as several processes open it. Each gets several clients.
	Buckets []driver.Bucket
	// Locked: each change is made as package blobstore makes it, under Bucket.Lock and after
	// a Get under the same lock. Reads are not locked. Otherwise nothing is locked, and the
	// condition of a change is what the client saw last, which may be long ago. Only a store
	// that honours conditions stays linearizable then.
	Locked bool
	// Without leaves out what the store is known not to do atomically.
	Without Without
	// Operations is how many operations all clients try together.
	Operations int
	// Seed decides what each client does. When the operations overlap is up to the machine,
	// so that a seed makes a failure likely, but does not replay it.
	Seed uint64
}

// Without is a kind of operation that clients leave out.
type Without int

const (
	WithoutConditionalDeletes Without = iota + 1
	WithoutDeletes
	// WithoutUnconditional leaves out all deletes, and writes of whatever is there.
	WithoutUnconditional
)

// Quarantined skips a test whose store is known not to be linearizable, unless the flag
// -linearizable.quarantined asks for it. The reason names the store and its fault.
func Quarantined(t *testing.T, reason string) {
	t.Helper()
	if !*linearKnown {
		t.Skip("quarantined; -linearizable.quarantined runs it: " + reason)
	}
}

// OpenBuckets opens the bucket of a URL several times, as several processes do.
func OpenBuckets(t testing.TB, rawURL string, count int) []driver.Bucket {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	var buckets []driver.Bucket
	for _, d := range Drivers {
		for range count {
			if d.Scheme != u.Scheme {
				continue
			}
			b, err := d.Open(t.Context(), u, driver.Options{Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
			buckets = append(buckets, b)
		}
	}
	if len(buckets) == 0 {
		t.Fatalf("no driver opens %s", rawURL)
	}
	return buckets
}

// TestLinearizable lets clients change records at the same time and checks that what they
// observed is linearizable: each Get, Put and Delete has the outcome that it would have if it
// happened at one instant between its call and its return. The promise that no record of an
// older version replaces one of a newer version rests on that.
func TestLinearizable(t *testing.T, c Clients) {
	t.Helper()
	if *linearOperations > 0 {
		c.Operations = *linearOperations
	}
	c.Seed = *linearSeed
	// The first write through a bucket on S3 finds out, by further writes, whether the store
	// honours conditions.
	for n, b := range c.Buckets {
		if err := b.Put(t.Context(), fmt.Sprintf("first-%d.md5", n), blobOf(value{"first\n", "0"}), driver.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	histories := c.run(t.Context())
	took := time.Since(start)
	counts := make(map[string]int)
	total := 0
	for _, h := range histories {
		if fault := h.check(c.Buckets[0].Traits().SameTag); fault != "" {
			t.Errorf("not linearizable (-linearizable.seed=%d -linearizable.operations=%d):\n%s", c.Seed, c.Operations, fault)
		}
		for _, o := range h {
			counts[fmt.Sprintf("%s: %s", o.Input.(operation).kind, o.Output.(outcome).result)]++
		}
		total += len(h)
	}
	t.Logf("%d operations of %d clients in %v, checked after %v; %v", total, clientsOfEach*len(c.Buckets), took.Round(time.Millisecond), time.Since(start).Round(time.Millisecond), counts)
	for _, needed := range []string{"get: done", "get: not found", "put: done", "put: changed", "delete: done"} {
		if counts[needed] == 0 && (needed != "delete: done" || c.Without < WithoutDeletes) {
			t.Errorf("no operation had the outcome %q, so that the history shows little", needed)
		}
	}
	if unknown := counts["get: unknown"] + counts["put: unknown"] + counts["delete: unknown"]; unknown*20 > total {
		t.Errorf("the outcomes of %d of %d operations are not known, so that the history shows little", unknown, total)
	}
}

// run returns the history of each key.
func (c Clients) run(ctx context.Context) map[string]history {
	histories := make(map[string]history)
	count := clientsOfEach * len(c.Buckets)
	var ids atomic.Int64
	var mu sync.Mutex
	var group sync.WaitGroup
	start := time.Now()
	for n := range count {
		l := &client{
			bucket: c.Buckets[n%len(c.Buckets)], number: n, locked: c.Locked, without: c.Without, start: start, ids: &ids,
			rand: rand.New(rand.NewPCG(c.Seed, uint64(n))), seen: make(map[string]*driver.Blob), did: make(map[string]history),
		}
		group.Go(func() {
			for l.left = c.Operations / count; l.left > 0; {
				// New keys have their first writes again.
				l.step(ctx, fmt.Sprintf("dir/%d-%d.md5", l.left/changesOfKey, l.rand.IntN(2)))
			}
			mu.Lock()
			defer mu.Unlock()
			for key, h := range l.did {
				histories[key] = append(histories[key], h...)
			}
		})
	}
	group.Wait()
	return histories
}

// client does one operation after the other.
type client struct {
	bucket  driver.Bucket
	number  int
	locked  bool
	without Without
	start   time.Time
	ids     *atomic.Int64
	rand    *rand.Rand
	left    int                     // operations
	seen    map[string]*driver.Blob // by key, as the last Get returned it; nil: nothing was there
	did     map[string]history      // by key
}

func (c *client) step(ctx context.Context, key string) {
	switch {
	case c.rand.IntN(3) == 0:
		c.get(ctx, key)
	case c.locked:
		unlock, err := c.bucket.Lock(ctx, key)
		if err != nil {
			c.left-- // nothing happened
			return
		}
		defer unlock()
		if c.get(ctx, key) {
			c.change(ctx, key)
		}
	default:
		c.change(ctx, key)
	}
}

// get reports whether it is known what is there.
func (c *client) get(ctx context.Context, key string) bool {
	var b *driver.Blob
	r := c.record(key, operation{kind: "get"}, func() (value, error) {
		var err error
		if b, err = c.bucket.Get(ctx, key, 1<<10); err != nil {
			return value{}, err
		}
		return valueOf(b), nil
	})
	if r == unknown {
		return false
	}
	c.seen[key] = b
	return true
}

// change writes or deletes a record, mostly under the condition that it is as it was seen last.
func (c *client) change(ctx context.Context, key string) {
	old := c.seen[key]
	cond := driver.Condition{Old: old}
	n := c.rand.IntN(8)
	if (n == 0 || n == 1) && c.without < WithoutUnconditional {
		cond = driver.Condition{Any: true}
	}
	if (n == 0 && c.without < WithoutDeletes) || (n > 5 && old != nil && c.without == 0) {
		c.record(key, operation{kind: "delete", condition: conditionOf(cond)}, func() (value, error) {
			return value{}, c.bucket.Delete(ctx, key, cond)
		})
		return
	}
	if n == 2 {
		cond = driver.Condition{Unseen: true}
	}
	v := value{fmt.Sprintf("%032d  a\n", c.rand.IntN(3)), strconv.FormatInt(c.ids.Add(1), 10)}
	if old != nil && c.bucket.Traits().SameTag && v.data == string(old.Data) {
		v.data = fmt.Sprintf("%032d *a\n", c.rand.IntN(3)) // records differ from what they replace
	}
	c.record(key, operation{"put", conditionOf(cond), v}, func() (value, error) {
		return value{}, c.bucket.Put(ctx, key, blobOf(v), cond)
	})
}

// record does an operation and keeps it in the history, with its times and its outcome.
func (c *client) record(key string, o operation, do func() (value, error)) result {
	c.left--
	call := time.Since(c.start)
	got, err := do()
	returned := time.Since(c.start)
	out := outcome{done, got, ""}
	switch {
	case err == nil:
	case errors.Is(err, pipeline.ErrChanged):
		out.result = changed
	case errors.Is(err, pipeline.ErrNotFound):
		out.result = notFound
	default:
		out = outcome{unknown, value{}, err.Error()}
		if o.kind != "get" {
			returned = math.MaxInt64 // a change may happen at any time later, or never
		}
	}
	c.did[key] = append(c.did[key], porcupine.Operation{ClientId: c.number, Input: o, Call: int64(call), Output: out, Return: int64(returned)})
	return out.result
}

func blobOf(v value) *driver.Blob {
	return &driver.Blob{Data: []byte(v.data), ContentType: "text/plain; charset=utf-8", Metadata: map[string]string{"id": v.id}}
}

// valueOf returns a blob without an id if the bucket does not say which write it is from.
func valueOf(b *driver.Blob) value {
	v := value{data: string(b.Data)}
	if !b.Detached {
		v.id = b.Metadata["id"]
	}
	return v
}
