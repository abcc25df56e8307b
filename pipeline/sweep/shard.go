package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// Bucket is what a pass needs to work on one bucket.
type Bucket struct {
	Source  Source
	Examine Examine
	// Keys: the positions are keys of objects, so that a prefix of keys narrows what is listed. Records at other
	// keys are then not listed.
	Keys bool
	// Turn waits until a worker may run a shard, because only some may run at the same time. end is called after it.
	// nil: all may.
	Turn func(ctx context.Context) (end func(), err error)
}

// Open returns a bucket for a pass, by the name that events carry. An error that wraps pipeline.ErrUnknownBucket or is
// Permanent says that it never will; others are transient. Safe for concurrent use.
type Open func(ctx context.Context, p Plan, bucket string) (Bucket, error)

// DefaultCut is where a shard is cut into reports, unless it is told otherwise.
var DefaultCut = Cut{Items: 10_000, Time: 10 * time.Minute}

// ErrStopped is the error of work that ended because its Stop was closed. What is done is kept in reports, if there are
// any.
var ErrStopped = errors.New("stopped before the end")

// errNoItem: running the shard again may find one.
var errNoItem = errors.New("no item was done before the time was over")

// errFull ends a run whose report has become large.
var errFull = errors.New("the report is full")

// A report is written a few times before the work on its shard is given up. One whose work was interrupted is written
// in a short time, because the process is about to end.
const (
	putAttempts = 5
	putSoon     = 3 * time.Second
)

var putWaits = backoff.Backoff{First: 200 * time.Millisecond, Longest: 5 * time.Second, Jitter: backoff.Below}

// shards runs shards. Safe for concurrent use.
type shards struct {
	reports     Reports
	form        *form
	version     string
	concurrency int
	cut         Cut
	split       bool // the rest of a shard is split in two, for other workers
	stop        <-chan struct{}
	log         *slog.Logger
}

// report returns the stored report of a shard; pipeline.ErrNotFound: there is none.
func (x *shards) report(ctx context.Context, s pipeline.Shard) ([]byte, header, error) {
	data, err := x.reports.Get(ctx, x.form.name(s))
	if err != nil {
		return nil, header{}, fmt.Errorf("%s: read the report: %w", s, err)
	}
	h, _, err := x.form.openReport(s, data)
	return data, h, err
}

// runner returns what runs the shards of a bucket.
func (x *shards) runner(p Plan, name string, b Bucket) *Runner {
	return &Runner{
		Bucket: name, Source: b.Source, Examine: b.Examine, Selects: p.Options.Selects,
		Concurrency: x.concurrency, Cut: x.cut, Stop: x.stop, Log: x.log,
	}
}

// run examines the items of a shard up to the cut and writes the report. If another process has written it first,
// that one counts. It returns the report that is stored.
//
// A run that is interrupted, or whose listing fails, keeps what it has in a report with the rest to follow. Its error
// is returned only if it has done nothing, or is Permanent. An object that needs another slice becomes a shard of its own. If the
// shard is that, already, its pipeline.Unfinished is returned.
func (x *shards) run(ctx context.Context, p Plan, b Bucket, s pipeline.Shard, tell func(Totals)) ([]byte, header, error) {
	h := header{Format: 1, Version: x.version, Pass: s.Pass, Bucket: s.Bucket, Range: rangeOf(s), Begun: time.Now().UTC()}
	w := newReportWriter(x.form)
	end, err := x.runner(p, s.Bucket, b).Run(ctx, h.Range, func(rows []Row) error {
		if w.full() {
			return errFull
		}
		if err := w.add(rows); err != nil {
			return err
		}
		if tell != nil {
			tell(w.totals)
		}
		return nil
	})
	if h.End, h.Next, err = x.rest(ctx, b.Source, h.Range, end, err); err != nil {
		return nil, header{}, err
	}
	for _, next := range h.next() {
		if err := next.Validate(); err != nil {
			return nil, header{}, pipeline.Permanent(fmt.Errorf("bucket %s after %.100q: the position cannot be sent to a worker: %w", s.Bucket, next.After, err))
		}
	}
	h.Ended = time.Now().UTC()
	report, err := w.finish(h)
	if err != nil {
		return nil, header{}, fmt.Errorf("%s: %w", s, err)
	}
	switch err := x.put(ctx, x.form.name(s), report); {
	case errors.Is(err, pipeline.ErrChanged):
		return x.report(ctx, s) // the report that was there first names the shards that follow
	case err != nil:
		return nil, header{}, fmt.Errorf("%s: write the report: %w", s, err)
	}
	h.Totals = w.totals
	return report, h, nil
}

// rest returns where a report ends, and the ranges that follow. An error means that there is nothing to report.
func (x *shards) rest(ctx context.Context, source Source, in Range, end End, err error) (at string, next []Range, _ error) {
	rest := Range{After: end.At, Through: in.Through}
	switch {
	case end.Done:
		return in.Through, nil, nil
	case end.Unfinished != "":
		alone := Range{After: end.At, Through: end.Unfinished}
		if alone == in {
			return "", nil, err
		}
		if next = append(next, alone); end.Unfinished != in.Through {
			next = append(next, Range{After: end.Unfinished, Through: in.Through})
		}
		return end.At, next, nil
	case pipeline.Classify(err) == pipeline.ClassPermanent:
		return "", nil, err // such as a list that is not in order: what follows would hide it
	case end.At == in.After:
		return "", nil, cmp.Or(err, x.idle())
	case err != nil || !x.split || isClosed(x.stop):
		return end.At, []Range{rest}, nil
	}
	middle, ok, err := source.Split(ctx, rest)
	if err != nil || !ok || !rest.Contains(middle) || middle == rest.Through {
		return end.At, []Range{rest}, nil // one shard is as right as two
	}
	return end.At, []Range{{After: rest.After, Through: middle}, {After: middle, Through: rest.Through}}, nil
}

// idle is why a run without an error has done nothing.
func (x *shards) idle() error {
	if isClosed(x.stop) {
		return ErrStopped
	}
	return errNoItem
}

// put writes an object once: pipeline.ErrChanged if there is one. An answer that was lost may make it find its own
// object, which is as good as another one.
func (x *shards) put(ctx context.Context, name string, data []byte) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), putSoon)
		defer cancel()
	}
	for attempt := 1; ; attempt++ {
		err := x.reports.Put(ctx, name, data)
		if pipeline.Classify(err) != pipeline.ClassTransient || errors.Is(err, pipeline.ErrChanged) || attempt == putAttempts || !putWaits.Wait(ctx, attempt) {
			return err
		}
	}
}
