package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/bucketsum/bucketsum/pipeline"
)

// checksum reads the version of the object and records its digests. It does not read a version that
// has its record already.
func (c Config) checksum(ctx context.Context, b pipeline.Bucket, o pipeline.Object) (pipeline.Result, *state, error) {
	known, complete, err := c.recorded(ctx, b, o)
	if known != nil && err != nil {
		return c.lookAtNewer(ctx, b, o, *known, err)
	}
	if err != nil {
		return pipeline.Result{}, nil, err
	}
	if complete {
		c.forget(ctx, b, known.Source)
		return c.confirm(ctx, b, outcomeOf(*known, pipeline.Current))
	}
	result, other, err := c.compute(ctx, b, o)
	if known != nil && errors.Is(err, pipeline.ErrNotFound) {
		// The object is gone and left a record of some algorithms: a worker stopped in the middle of
		// writing or removing the records. The event of the deletion may have been handled before.
		return pipeline.Result{}, &state{object: o, gone: true}, nil
	}
	return result, other, err
}

// lookAtNewer decides about an event of an older version than the one that has a record of some
// algorithms. superseded is the error of the event if nothing is left to do.
//
// A worker may still be writing the newer records. But also a late write of the older version may
// have replaced one of them, with an answer that got lost: then no other event corrects it.
func (c Config) lookAtNewer(ctx context.Context, b pipeline.Bucket, o pipeline.Object, newer pipeline.Record, superseded error) (pipeline.Result, *state, error) {
	now, err := current(ctx, b.Source, o)
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return pipeline.Result{}, &state{object: newer.Source, gone: true}, nil
	case err != nil:
		return pipeline.Result{}, nil, err
	case !now.SameVersion(newer.Source):
		return pipeline.Result{}, nil, superseded // the current version has an event of its own
	}
	now.Sequencer = newer.Source.Sequencer
	return pipeline.Result{}, &state{object: now}, nil
}

// compute reads the version of the object and records its digests.
func (c Config) compute(ctx context.Context, b pipeline.Bucket, o pipeline.Object) (pipeline.Result, *state, error) {
	record, ok := c.unsaved.take(o)
	var err error
	if !ok {
		record, err = c.read(ctx, b, o)
		if class := pipeline.Classify(err); class == pipeline.ClassSuperseded || class == pipeline.ClassPermanent {
			c.forget(ctx, b, o)
		}
		if err != nil {
			return pipeline.Result{}, nil, err
		}
	}
	record.Source.Sequencer = o.Sequencer
	// An object that was overwritten during the reading has a newer event, which writes its own
	// record.
	now, err := current(ctx, b.Source, o)
	if err != nil {
		return pipeline.Result{}, nil, c.unsaved.keep(record, err)
	}
	if !now.SameVersion(record.Source) {
		c.forget(ctx, b, record.Source)
		return pipeline.Result{}, nil, fmt.Errorf("%s was overwritten while it was read: %w", o, pipeline.ErrChanged)
	}
	result := outcomeOf(record, pipeline.Recorded)
	if result.Outcome == pipeline.Mismatch {
		c.Log.LogAttrs(ctx, slog.LevelError, "content is not what its store claims", append(attrs(record.Source),
			slog.String("reason", result.Reason), slog.Bool("recorded", c.RecordMismatches))...)
		if !c.RecordMismatches {
			return c.refuse(ctx, b, result)
		}
	}
	if err := b.Records.Save(ctx, record); err != nil {
		if len(c.Algorithms) > 1 && pipeline.Classify(err) != pipeline.ClassTransient {
			// The record of one algorithm was refused, because a newer one or a file of the user is
			// there. That of another algorithm may have been written.
			if _, other, err := c.confirm(ctx, b, result); other != nil || err != nil {
				return pipeline.Result{}, other, err
			}
		}
		return pipeline.Result{}, nil, c.unsaved.keep(record, err)
	}
	c.forget(ctx, b, record.Source)
	return c.confirm(ctx, b, result)
}

// refuse ends with ErrMismatch and removes the record of an older version, which would look like a record
// of the wrong content. A record of exactly this version stays: it shows what the content once was.
func (c Config) refuse(ctx context.Context, b pipeline.Bucket, result pipeline.Result) (pipeline.Result, *state, error) {
	o := result.Record.Source
	old, err := b.Records.Lookup(ctx, o)
	removed := false
	if err == nil && !old.Source.SameVersion(o) {
		removed, err = b.Records.Remove(ctx, o)
	}
	if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
		return pipeline.Result{}, nil, c.unsaved.keep(result.Record, err)
	}
	c.forget(ctx, b, o)
	if removed {
		// The old content may have been put back just before, and the event of that may have found
		// the record that is now removed.
		if _, other, err := c.confirm(ctx, b, result); other != nil || err != nil {
			return pipeline.Result{}, other, err
		}
	}
	result.Saved = false
	return result, nil, pipeline.Permanent(fmt.Errorf("%s: %w: %s", o, pipeline.ErrMismatch, result.Reason))
}

// outcomeOf returns the result for a record that exists or is about to be written.
func outcomeOf(r pipeline.Record, usual pipeline.Outcome) pipeline.Result {
	if r.Mismatched() {
		return pipeline.Result{Outcome: pipeline.Mismatch, Record: r, Saved: true, Reason: mismatches(r.Checks)}
	}
	return pipeline.Result{Outcome: usual, Record: r}
}

// recorded returns the record of the key, for any version, or nil if there is none. The record is complete if it
// is of exactly this version and has every algorithm. An error with a record says that the event is of an older
// version, but that the record lacks an algorithm.
func (c Config) recorded(ctx context.Context, b pipeline.Bucket, o pipeline.Object) (known *pipeline.Record, complete bool, err error) {
	record, err := b.Records.Lookup(ctx, o)
	if errors.Is(err, pipeline.ErrNotFound) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, err
	}
	if o.VersionID == "" && o.ETag == "" {
		// The event does not name a version, so the current one counts.
		if o, err = current(ctx, b.Source, o); err != nil {
			return nil, false, err
		}
	}
	switch {
	case record.Covers(o, c.Algorithms) && (c.RecordMismatches || !record.Mismatched()):
		return &record, true, nil
	case !record.Source.SameVersion(o) && pipeline.CompareSequencers(record.Source.Sequencer, o.Sequencer) > 0:
		err := fmt.Errorf("%s has the record of a newer version: %w", o, pipeline.ErrChanged)
		if record.Covers(record.Source, c.Algorithms) {
			return nil, false, err
		}
		return &record, false, err
	}
	return &record, false, nil
}
