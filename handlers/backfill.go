package handlers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// backfill makes the record of an object agree with it. An object that has its record costs one look at the record, if
// the listing tells its ETag.
func (x *examiner) backfill(ctx context.Context, t *item) (sweep.Row, error) {
	if t.Record {
		return sweep.Row{}, nil
	}
	c, b, start := x.Config, t.bucket, time.Now()
	c.bytesRead, c.keepRecorded = &t.bytes, true
	event := pipeline.Event{Kind: pipeline.Created, Object: t.Object, ID: x.plan.Pass, Name: string(x.plan.Command), Repeated: true}
	var before *looked
	record, seen, err := b.Records.Lookup(ctx, t.Object)
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		if t.Archived {
			return t.row(t.Object, sweep.Archived, ""), nil
		}
		if len(stray(record.UserFiles)) == 0 {
			before = &looked{seen}
		}
	case err != nil:
		return sweep.Row{}, err
	case !isUnmodified(b, record.Source, t.Object):
		before = &looked{seen}
	case record.Covers(t.Object, c.Algorithms) && (c.RecordMismatches || !record.Mismatched()):
		result := outcomeOf(record, pipeline.Current)
		if !x.plan.Created.IsZero() && record.ComputedAt.After(x.plan.Created) {
			// The record may be of an earlier run of this pass, which ended before it announced the result.
			if err := c.announce(ctx, event, start, result); err != nil {
				return sweep.Row{}, fmt.Errorf("%w: %w", errUnannounced, err)
			}
		}
		return t.backfilled(result), nil
	}
	result, err := c.reconcile(ctx, b, event, before)
	if err == nil || result.Outcome == pipeline.Mismatch {
		if failed := c.announce(ctx, event, start, result); failed != nil {
			return sweep.Row{}, fmt.Errorf("%w: %w", errUnannounced, failed)
		}
		return t.backfilled(result), nil
	}
	if result.Record.Digests != nil { // it was read, and could not be recorded
		row := t.row(result.Record.Source, sweep.NoRecord, err.Error())
		row.Checksums = result.Record.Digests
		return row, err
	}
	return sweep.Row{}, err
}

// backfilled returns the row of a result. An object that has gone meanwhile has none.
func (t *item) backfilled(r pipeline.Result) sweep.Row {
	states := map[pipeline.Outcome]sweep.State{
		pipeline.Recorded: sweep.Recorded, pipeline.Current: sweep.OK, pipeline.Mismatch: sweep.Mismatch,
	}
	state, ok := states[r.Outcome]
	if !ok {
		return sweep.Row{}
	}
	return recorded(t.row(r.Record.Source, state, r.Reason), r.Record)
}
