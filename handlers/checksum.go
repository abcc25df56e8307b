package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// checksum reads the object version that the event names, and records its
// digests. A version that has its record already is not read again. With
// ErrMismatch comes a result that tells what is wrong.
func (c Config) checksum(ctx context.Context, b pipeline.Bucket, o pipeline.Object) (pipeline.Result, error) {
	known, err := c.recorded(ctx, b, o)
	if err != nil {
		return pipeline.Result{}, err
	}
	if known != nil {
		c.forget(ctx, b, known.Source)
		return c.confirm(ctx, b, outcomeOf(*known, pipeline.Current))
	}
	record, ok := c.unsaved.take(o)
	if !ok {
		record, err = c.read(ctx, b, o)
		if class := pipeline.Classify(err); class == pipeline.ClassSuperseded || class == pipeline.ClassPermanent {
			c.forget(ctx, b, o)
		}
		if err != nil {
			return pipeline.Result{}, err
		}
	}
	record.Source.Sequencer = o.Sequencer
	// What was overwritten while it was read has a newer event on its way,
	// whose record this one must not cross.
	now, err := current(ctx, b.Source, o)
	if err != nil {
		return pipeline.Result{}, c.unsaved.keep(record, err)
	}
	if !now.SameVersion(record.Source) {
		c.forget(ctx, b, record.Source)
		return pipeline.Result{}, fmt.Errorf("%s was overwritten while it was read: %w", o, pipeline.ErrChanged)
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
		return pipeline.Result{}, c.unsaved.keep(record, err)
	}
	c.forget(ctx, b, record.Source)
	return c.confirm(ctx, b, result)
}

// refuse ends in ErrMismatch, with no record beside content that is wrong: that of
// an older version, left alone, would pass for one of it. What is recorded of this
// very version stays, it tells what the content was once.
func (c Config) refuse(ctx context.Context, b pipeline.Bucket, result pipeline.Result) (pipeline.Result, error) {
	o := result.Record.Source
	old, err := b.Records.Lookup(ctx, o)
	removed := false
	if err == nil && !old.Source.SameVersion(o) {
		removed, err = b.Records.Remove(ctx, o)
	}
	if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
		return pipeline.Result{}, c.unsaved.keep(result.Record, err)
	}
	c.forget(ctx, b, o)
	if removed {
		// The old content may have been put back just before, and the event of
		// that may have found the record that is gone now.
		now, err := c.confirm(ctx, b, result)
		if err != nil || now.Outcome != pipeline.Mismatch || !now.Record.Source.SameVersion(o) {
			return now, err
		}
	}
	result.Saved = false
	return result, pipeline.Permanent(fmt.Errorf("%s: %w: %s", o, pipeline.ErrMismatch, result.Reason))
}

// outcomeOf returns the result of an object whose record is there, or about to be.
func outcomeOf(r pipeline.Record, usual pipeline.Outcome) pipeline.Result {
	if r.Mismatched() {
		return pipeline.Result{Outcome: pipeline.Mismatch, Record: r, Saved: true, Reason: mismatches(r.Checks)}
	}
	return pipeline.Result{Outcome: usual, Record: r}
}

// confirm looks at the object once more when its record is there. It may have
// been replaced or deleted just before the record was written, and the event of
// that may have been handled by then: nobody else would put the record right.
func (c Config) confirm(ctx context.Context, b pipeline.Bucket, result pipeline.Result) (pipeline.Result, error) {
	now, err := current(ctx, b.Source, result.Record.Source)
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return c.tombstone(ctx, b, result.Record.Source)
	case err != nil:
		return pipeline.Result{}, err
	case !now.SameVersion(result.Record.Source):
		return c.checksum(ctx, b, now)
	}
	return result, nil
}

// current returns the current version of the object's key, as of the event that
// o is of.
func current(ctx context.Context, source pipeline.Source, o pipeline.Object) (pipeline.Object, error) {
	// The version that the event names is left out: a store that knows no
	// versions would give it back.
	now, err := source.Stat(ctx, pipeline.Object{Bucket: o.Bucket, Key: o.Key, Size: pipeline.UnknownSize})
	now.Sequencer = o.Sequencer
	return now, err
}

// recorded returns the record of this very version; nil if it has none that
// holds every algorithm.
func (c Config) recorded(ctx context.Context, b pipeline.Bucket, o pipeline.Object) (*pipeline.Record, error) {
	record, err := b.Records.Lookup(ctx, o)
	if errors.Is(err, pipeline.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if o.VersionID == "" && o.ETag == "" {
		// The event does not say which version it means: the current one counts.
		if o, err = current(ctx, b.Source, o); err != nil {
			return nil, err
		}
	}
	switch {
	case record.Covers(o, c.Algorithms) && (c.RecordMismatches || !record.Mismatched()):
		return &record, nil
	case !record.Source.SameVersion(o) && pipeline.CompareSequencers(record.Source.Sequencer, o.Sequencer) > 0:
		return nil, fmt.Errorf("%s has the record of a newer version: %w", o, pipeline.ErrChanged)
	}
	return nil, nil
}

// read digests the object. Content that is not what its store claims is read a second
// time, to tell what is wrong in the store from what was damaged on its way; so is
// content in other parts than it seemed, once those are known.
func (c Config) read(ctx context.Context, b pipeline.Bucket, o pipeline.Object) (pipeline.Record, error) {
	var until time.Time // both readings are of one slice
	record, first, err := c.digest(ctx, b, o, &until, nil)
	if err != nil {
		return pipeline.Record{}, err
	}
	if first == nil {
		reason := mismatches(record.Checks)
		if reason == "" {
			reason = misread(record.Checks)
		}
		if reason == "" {
			return record, nil
		}
		// What was damaged may be in the checkpoint.
		c.forget(ctx, b, record.Source)
		first = &earlier{Digests: record.Digests, Reason: reason}
		if record, _, err = c.digest(ctx, b, record.Source, &until, first); err != nil {
			return pipeline.Record{}, err
		}
	}
	if maps.Equal(first.Digests, record.Digests) {
		return record, nil
	}
	if record.Mismatched() {
		c.forget(ctx, b, record.Source)
		return pipeline.Record{}, fmt.Errorf("read %s twice: it differs from itself, and from what its store claims", o)
	}
	c.Log.LogAttrs(ctx, slog.LevelWarn, "content was damaged on its way and is right the second time",
		append(attrs(record.Source), slog.String("reason", first.Reason))...)
	return record, nil
}

// digest reads the object once, and holds it against what its store claims. It
// goes on at a checkpoint if there is one, but not with first, which is what the
// first reading found; if the checkpoint is of a second reading, that is returned. The
// slice ends at until, which the first reading sets when it has begun.
func (c Config) digest(ctx context.Context, b pipeline.Bucket, o pipeline.Object, until *time.Time, first *earlier) (pipeline.Record, *earlier, error) {
	r, err := c.begin(ctx, b, o, first)
	if err != nil {
		return pipeline.Record{}, nil, err
	}
	// A failed Close after the last byte took nothing from the digest.
	defer r.Close()
	if c.Resume.Slice > 0 && until.IsZero() {
		*until = time.Now().Add(c.Resume.Slice)
	}
	r.until = *until
	if err := r.copy(ctx); err != nil {
		return pipeline.Record{}, nil, fmt.Errorf("read %s: %w", o, err)
	}
	read, size := r.Object(), r.verifier.digests.Size()
	if read.Size != pipeline.UnknownSize && read.Size != size {
		return pipeline.Record{}, nil, fmt.Errorf("read %s: got %d bytes of %d", o, size, read.Size)
	}
	read.Size, read.Sequencer = size, o.Sequencer
	checks, err := r.verifier.checks(ctx, read)
	if err != nil {
		return pipeline.Record{}, nil, err
	}
	return pipeline.Record{Source: read, Digests: r.verifier.digests.Sums(), ComputedAt: time.Now(), Checks: checks}, r.earlier, nil
}
