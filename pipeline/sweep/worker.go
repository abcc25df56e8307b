package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/keylock"
)

// Worker runs the shards that messages ask for. Reports, Open and Send are needed. Its Handle is a
// [pipeline.Handler] for events of the kind pipeline.Sweep.
type Worker struct {
	Reports     Reports
	Open        Open
	Send        Send // to the queue that the messages come from
	Version     string
	Concurrency int // items of a shard in work at the same time; 0: DefaultConcurrency
	Cut         Cut // of shards into reports; zero: DefaultCut
	// Stop is closed when the worker is to end: shards in work are cut, and what is done is kept.
	Stop <-chan struct{}
	Log  *slog.Logger // nil: discarded

	opening keylock.Locks[[2]string]

	mu    sync.Mutex
	plans map[string]Plan      // by the name of the pass
	open  map[[2]string]Bucket // by the names of pass and bucket
}

// mostCached bounds the plans and buckets that a worker keeps. There are more only if messages name many passes. A plan,
// or the manifest of an inventory, may have some 30 MB.
const mostCached = 8

// Handle runs the shard of an event and sends the shards that follow it. It returns nil when the report is stored and
// the queue has these. A shard that has its report is not run again.
//
// Permanent errors: a shard that no plan here knows, a bucket that is not configured (pipeline.ErrUnknownBucket), a
// plan that is damaged. pipeline.Unfinished: its only object needs another slice.
func (w *Worker) Handle(ctx context.Context, e pipeline.Event) error {
	if e.Kind != pipeline.Sweep || e.Shard == nil {
		return pipeline.Permanent(errors.New("the event names no shard of a pass"))
	}
	s := *e.Shard
	if err := s.Validate(); err != nil {
		return pipeline.Permanent(err)
	}
	plan, err := w.plan(ctx, s)
	if err != nil {
		return err
	}
	x := &shards{
		reports: w.Reports, form: plan.Options.form(), version: w.Version, concurrency: w.Concurrency, cut: cmp.Or(w.Cut, DefaultCut), split: true,
		stop: w.Stop, log: cmp.Or(w.Log, slog.New(slog.DiscardHandler)),
	}
	_, head, err := x.report(ctx, s)
	if errors.Is(err, pipeline.ErrNotFound) {
		head, err = w.run(ctx, x, plan, s)
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // another delivery finds the report
	}
	for _, next := range head.next() {
		if err := w.Send(ctx, next); err != nil {
			return fmt.Errorf("%s: send the shard that follows to the queue: %w", next, err)
		}
	}
	return nil
}

func (w *Worker) run(ctx context.Context, x *shards, plan Plan, s pipeline.Shard) (header, error) {
	b, err := w.bucket(ctx, plan, s.Bucket)
	if err != nil {
		if errors.Is(err, pipeline.ErrUnknownBucket) {
			err = pipeline.Permanent(err)
		}
		return header{}, err
	}
	if b.Turn != nil {
		end, err := b.Turn(ctx)
		if err != nil {
			return header{}, err
		}
		defer end()
	}
	_, head, err := x.run(ctx, plan, b, s, nil)
	return head, err
}

// plan returns the plan that a shard belongs to. A plan does not change, so that it is read once.
func (w *Worker) plan(ctx context.Context, s pipeline.Shard) (Plan, error) {
	w.mu.Lock()
	plan, ok := w.plans[s.Pass]
	w.mu.Unlock()
	if !ok {
		var err error
		if plan, err = readPlan(ctx, w.Reports, planName(s.Pass)); errors.Is(err, pipeline.ErrNotFound) {
			return plan, pipeline.Permanent(fmt.Errorf("%s: there is no such pass in the reports of this worker: was it started with others, or removed? (%w)", s, err))
		} else if err != nil {
			return plan, err
		}
		w.mu.Lock()
		if w.plans == nil || len(w.plans) >= mostCached {
			w.plans = make(map[string]Plan)
		}
		w.plans[s.Pass] = plan
		w.mu.Unlock()
	}
	if plan.Pass != s.Pass || !plan.has(s) {
		return plan, pipeline.Permanent(fmt.Errorf("%s: the plan has no such shard", s))
	}
	return plan, nil
}

// bucket opens a bucket once for each pass.
func (w *Worker) bucket(ctx context.Context, plan Plan, name string) (Bucket, error) {
	key := [2]string{plan.Pass, name}
	unlock, err := w.opening.Lock(ctx, key)
	if err != nil {
		return Bucket{}, err
	}
	defer unlock()
	w.mu.Lock()
	b, ok := w.open[key]
	w.mu.Unlock()
	if ok {
		return b, nil
	}
	if b, err = w.Open(ctx, plan, name); err != nil {
		return b, err
	}
	if b.Keys && plan.Options.Inventory != "" {
		return b, pipeline.Permanent(fmt.Errorf("pass %s is about the rows of an inventory, and the bucket was opened to be listed", plan.Pass))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil || len(w.open) >= mostCached {
		w.open = make(map[[2]string]Bucket)
	}
	w.open[key] = b
	return b, nil
}
