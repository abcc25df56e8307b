package pass

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// ages is a histogram of bytes by the hour in which they were last found right. Ten years have 88,000 hours, however
// many objects there are.
type ages map[int64]int64

// lastCheck is when the content of a row was last found right, as far as its record knows; zero: never.
func lastCheck(r sweep.Row) time.Time {
	switch {
	case r.State != sweep.OK: // it has no current record that says so
		return time.Time{}
	case r.VerifiedAt != nil:
		return *r.VerifiedAt
	case r.RecordedAt != nil:
		return *r.RecordedAt
	}
	return time.Time{}
}

// add counts a row of a look at records only.
func (a ages) add(r sweep.Row) {
	if r.Size == nil || r.State == sweep.Orphan || r.State == sweep.NoRecord || r.State == sweep.Archived {
		return // it will not be read
	}
	a[lastCheck(r).Unix()/3600] += *r.Size
}

// through returns the end of the hour in which the oldest bytes reach a budget, or zero if all of them are within it.
func (a ages) through(budget int64) time.Time {
	for _, hour := range slices.Sorted(maps.Keys(a)) {
		if budget -= a[hour]; budget <= 0 {
			return time.Unix((hour+1)*3600, 0).UTC()
		}
	}
	return time.Time{}
}

// errBudget refuses to open an object that the budget does not reach for.
var errBudget = errors.New("the budget is used up")

// budget bounds the bytes that are read. Safe for concurrent use.
type budget struct {
	left    atomic.Int64
	skipped atomic.Int64 // objects that were due and were not read
	before  int64        // bytes that were read before the pass was resumed
}

// resumed takes from the budget what was read before the pass was resumed. It is called by one goroutine at a time.
func (b *budget) resumed(before int64) {
	b.left.Add(b.before - before)
	b.before = before
}

// bound returns the bucket and its examiner within the budget: an object that exceeds what is left gets no row.
// The first object is read, whatever its size, so that each pass gets on.
func (b *budget) bound(bucket pipeline.Bucket) pipeline.Bucket {
	bucket.Source = budgetedSource{bucket.Source, b}
	return bucket
}

// examine returns the examiner without rows of objects that were refused.
func (b *budget) examine(next sweep.Examine) sweep.Examine {
	return func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
		var refused atomic.Bool
		row, err := next(context.WithValue(ctx, refusedKey{}, &refused), i)
		if refused.Load() {
			b.skipped.Add(1)
			return sweep.Row{}, nil
		}
		return row, err
	}
}

type refusedKey struct{}

type budgetedSource struct {
	pipeline.Source
	budget *budget
}

// Open implements pipeline.Source.
func (s budgetedSource) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	if !s.budget.take(o.Size) {
		ctx.Value(refusedKey{}).(*atomic.Bool).Store(true)
		return nil, pipeline.Permanent(errBudget)
	}
	return s.Source.Open(ctx, o)
}

// take takes bytes from the budget, unless it is used up. The last object may exceed it.
func (b *budget) take(n int64) bool {
	for {
		left := b.left.Load()
		if left <= 0 {
			return false
		}
		if b.left.CompareAndSwap(left, left-max(n, 0)) {
			return true
		}
	}
}
