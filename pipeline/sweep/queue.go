package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/ordered"
)

// Send sends a shard to the queue of the workers. It returns nil when the queue has it safely. Safe for concurrent
// use.
type Send func(ctx context.Context, s pipeline.Shard) error

// The reports of workers are looked for after a wait that grows while there are none. Each look takes a small part of
// the time, however many reports there are.
const (
	firstLook   = time.Second
	longestLook = 15 * time.Second
	looks       = 16 // reports that are read at the same time
	lookShare   = 5  // a wait is at least so many times as long as the look before
	// A pass whose workers write no report for so long is mentioned in the log, again and again.
	silence = 15 * time.Minute
)

// ByQueue runs the pass by workers: it sends the shards that are not done to their queue, waits until the reports are
// complete, then tells the rows and writes the summary. It needs Reports, which must be those of the workers. When it is
// interrupted, the workers continue; called again, it sends again what is not done, which does no harm.
func (p *Pass) ByQueue(ctx context.Context, send Send) (Summary, error) {
	none := Summary{Command: p.Command}
	if p.Reports == nil {
		return none, errors.New("a pass by workers needs reports")
	}
	plan, err := p.plan(ctx)
	if err != nil {
		return none, err
	}
	w := &watch{Pass: p, shards: p.shards(), plan: plan, open: make(map[string]pipeline.Shard)}
	if err := w.begin(ctx, send); err != nil {
		return w.summary(), err
	}
	if err := w.wait(ctx); err != nil {
		return w.summary(), err
	}
	if p.Rows == nil {
		s := w.summary()
		return s, p.writeSummary(ctx, s)
	}
	again := *p
	again.Progress = nil
	return again.conclude(ctx, plan, plan.roots())
}

// watch watches the reports of a pass.
type watch struct {
	*Pass
	shards  *shards
	plan    Plan
	open    map[string]pipeline.Shard // without a report, by its name
	done    int
	totals  Totals
	resumed Totals
}

func (w *watch) summary() Summary {
	return Summary{
		Pass: w.plan.Pass, Command: w.plan.Command, Created: w.plan.Created, Ended: time.Now().UTC(),
		Totals: w.totals, Complete: len(w.open) == 0,
	}
}

// begin finds the shards that are not done, and sends them.
func (w *watch) begin(ctx context.Context, send Send) error {
	if err := w.look(ctx, w.plan.roots()); err != nil {
		return err
	}
	w.resumed.Plus(w.totals)
	w.tell()
	for _, s := range w.open {
		if isClosed(w.Stop) {
			return ErrStopped
		}
		if err := send(ctx, s); err != nil {
			return fmt.Errorf("%s: send the shard to the queue: %w", s, err)
		}
	}
	return nil
}

// look looks for the reports of shards, and of all that follow them, many at a time.
func (w *watch) look(ctx context.Context, todo []pipeline.Shard) error {
	type found struct {
		shard pipeline.Shard
		head  header
		err   error
	}
	for len(todo) > 0 {
		var next []pipeline.Shard
		work := ordered.Work[found]{
			Width: looks,
			Do: func(f found) found {
				_, f.head, f.err = w.shards.report(ctx, f.shard)
				return f
			},
			Tell: func(turn []found) error {
				for _, f := range turn {
					switch name := reportName(f.shard); {
					case isClosed(w.Stop):
						return ErrStopped
					case errors.Is(f.err, pipeline.ErrNotFound):
						w.open[name] = f.shard
					case f.err != nil:
						return f.err
					default:
						delete(w.open, name)
						w.done++
						w.totals.Plus(f.head.Totals)
						next = append(next, f.head.next()...)
					}
				}
				return nil
			},
		}
		err := work.Run(ctx, func(yield func(found) bool) {
			for _, s := range todo {
				if !yield(found{shard: s}) {
					return
				}
			}
		})
		// What follows a report that counts must not be forgotten if another look fails.
		for _, s := range next {
			w.open[reportName(s)] = s
		}
		if err != nil {
			return err
		}
		todo = next
	}
	return nil
}

// wait returns when no shard is open.
func (w *watch) wait(ctx context.Context) error {
	waits := backoff.Backoff{First: firstLook, Longest: longestLook, Jitter: backoff.Below}
	stop, cancel := stopContext(ctx, w.Stop)
	defer cancel()
	quiet, heard, failures := 0, time.Now(), 0
	for took := time.Duration(0); len(w.open) > 0; {
		if !backoff.Sleep(stop, max(waits.Delay(quiet+1), lookShare*took)) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return ErrStopped
		}
		began, before := time.Now(), w.done
		err := w.poll(ctx)
		took = time.Since(began)
		switch {
		case pipeline.Classify(err) == pipeline.ClassPermanent, errors.Is(err, errDamaged), errors.Is(err, ErrStopped):
			return err
		case err != nil:
			if failures++; failures == listAttempts {
				return err
			}
			w.shards.log.Warn("the reports could not be looked at, which is tried again", "pass", w.plan.Pass, "err", err)
		default:
			failures = 0
		}
		if w.done == before {
			quiet++
			if time.Since(heard) > silence {
				heard = time.Now()
				w.shards.log.Warn("the workers wrote no report for a while: are they running, with the same reports? see their dead letters, too",
					"pass", w.plan.Pass, "open", len(w.open), "since", silence)
			}
			continue
		}
		quiet, heard = 0, time.Now()
		w.tell()
	}
	return nil
}

// poll looks once for the reports of open shards.
func (w *watch) poll(ctx context.Context) error {
	var there []pipeline.Shard
	for name, err := range w.Reports.Names(ctx, reportsOf(w.plan.Pass)) {
		if err != nil {
			return fmt.Errorf("pass %s: list the reports: %w", w.plan.Pass, err)
		}
		if s, ok := w.open[name]; ok {
			there = append(there, s)
		}
	}
	return w.look(ctx, there)
}

func (w *watch) tell() {
	if w.Progress == nil {
		return
	}
	var now, resumed Totals
	now.Plus(w.totals)
	resumed.Plus(w.resumed)
	w.Progress(Progress{Pass: w.plan.Pass, Totals: now, Resumed: resumed, Open: len(w.open), Done: w.done})
}
