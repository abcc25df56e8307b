package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/ordered"
)

// Send sends a shard to the queue of the workers. It returns nil when the queue has it safely. Safe for concurrent
// use.
type Send func(ctx context.Context, s pipeline.Shard) error

// ByQueue runs the pass by workers: it sends the shards that are not done to their queue, reads the reports as they come,
// and writes the summary when all are there. Rows receives the rows of one report after the other; these come in any order. It
// needs Reports, which must be those of the workers. When it is interrupted, the workers continue; called again, it
// sends again what is not done, which does no harm.
func (p *Pass) ByQueue(ctx context.Context, send Send) (Summary, error) {
	none := Summary{Command: p.Command}
	if p.Reports == nil {
		return none, errors.New("a pass by workers needs reports")
	}
	plan, err := p.plan(ctx)
	if err != nil {
		return none, err
	}
	if plan.Options.Inventory != "" && plan.InventoryAt == nil {
		return none, fmt.Errorf("pass %s was begun with an inventory that workers cannot read, because it has no URL: %w", plan.Pass, ErrOther)
	}
	w := &watch{Pass: p, shards: p.shards(), plan: plan, open: make(map[string]pipeline.Shard)}
	if err := w.begin(ctx, send); err != nil {
		return w.summary(), err
	}
	if err := w.wait(ctx); err != nil {
		return w.summary(), err
	}
	return p.writeSummary(ctx, w.summary())
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
	begun   bool // what was done before is known
	refused bool // Rows has failed
}

func (w *watch) summary() Summary {
	return Summary{
		Pass: w.plan.Pass, Command: w.plan.Command, Created: w.plan.Created, Ended: time.Now().UTC(),
		Totals: w.totals, Resumed: w.resumed, Complete: len(w.open) == 0,
	}
}

// begin finds the shards that are not done, and sends them.
func (w *watch) begin(ctx context.Context, send Send) error {
	roots := w.plan.roots()
	for _, s := range roots {
		w.open[w.shards.form.name(s)] = s
	}
	if err := w.look(ctx, roots); err != nil {
		return err
	}
	w.begun = true
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
		shard  pipeline.Shard
		report []byte
		head   header
		err    error
	}
	for len(todo) > 0 {
		var next []pipeline.Shard
		work := ordered.Work[found]{
			Width: looks, Window: looks,
			Do: func(f found) found {
				f.report, f.head, f.err = w.shards.report(ctx, f.shard)
				return f
			},
			Tell: func(turn []found) error {
				for _, f := range turn {
					switch name := w.shards.form.name(f.shard); {
					case isClosed(w.Stop):
						return ErrStopped
					case errors.Is(f.err, pipeline.ErrNotFound): // it is open
					case f.err != nil:
						return f.err
					default:
						if err := w.tellRows(f.shard, f.report); err != nil {
							return err
						}
						delete(w.open, name)
						w.done++
						w.totals.Plus(f.head.Totals)
						if !w.begun {
							w.resumed.Plus(f.head.Totals)
						}
						w.tell()
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
			w.open[w.shards.form.name(s)] = s
		}
		if err != nil {
			return err
		}
		todo = next
	}
	return nil
}

// tellRows tells the rows of a report.
func (w *watch) tellRows(s pipeline.Shard, report []byte) error {
	if w.Rows == nil {
		return nil
	}
	return w.shards.form.readReport(s, report, func(rows []Row) error {
		err := w.Rows(rows)
		w.refused = w.refused || err != nil
		return err
	})
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
