package handlers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// checksum reads the object version that the event names once, and records its
// digests. A version that has its record already is not read again.
func (c Config) checksum(ctx context.Context, b pipeline.Bucket, o pipeline.Object) (pipeline.Result, error) {
	known, err := c.recorded(ctx, b, o)
	if err != nil {
		return pipeline.Result{}, err
	}
	if known != nil {
		return c.confirm(ctx, b, pipeline.Result{Outcome: pipeline.Current, Record: *known})
	}
	record, err := c.digest(ctx, b.Source, o)
	if err != nil {
		return pipeline.Result{}, err
	}
	// What was overwritten while it was read has a newer event on its way,
	// whose record this one must not cross.
	now, err := current(ctx, b.Source, o)
	if err != nil {
		return pipeline.Result{}, err
	}
	if !now.SameVersion(record.Source) {
		return pipeline.Result{}, fmt.Errorf("%s was overwritten while it was read: %w", o, pipeline.ErrChanged)
	}
	if err := b.Records.Save(ctx, record); err != nil {
		return pipeline.Result{}, err
	}
	return c.confirm(ctx, b, pipeline.Result{Outcome: pipeline.Recorded, Record: record})
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
	case record.Covers(o, c.Algorithms):
		return &record, nil
	case !record.Source.SameVersion(o) && pipeline.CompareSequencers(record.Source.Sequencer, o.Sequencer) > 0:
		return nil, fmt.Errorf("%s has the record of a newer version: %w", o, pipeline.ErrChanged)
	}
	return nil, nil
}

// digest reads the object once.
func (c Config) digest(ctx context.Context, source pipeline.Source, o pipeline.Object) (pipeline.Record, error) {
	d, err := digest.New(c.Algorithms...)
	if err != nil {
		return pipeline.Record{}, err
	}
	r, err := source.Open(ctx, o)
	if err != nil {
		return pipeline.Record{}, err
	}
	// A failed Close after the last byte took nothing from the digest.
	defer r.Close()
	read := r.Object()
	if read.VersionID == "" && read.ETag == "" {
		return pipeline.Record{}, pipeline.Permanent(fmt.Errorf(
			"read %s: its store tells neither version nor ETag, so that nobody could tell what the checksum is of", o))
	}
	size, err := digest.Copy(ctx, d, r)
	if err != nil {
		return pipeline.Record{}, fmt.Errorf("read %s: %w", o, err)
	}
	if read.Size != pipeline.UnknownSize && read.Size != size {
		return pipeline.Record{}, fmt.Errorf("read %s: got %d bytes of %d", o, size, read.Size)
	}
	read.Size, read.Sequencer = size, o.Sequencer
	return pipeline.Record{Source: read, Digests: d.Sums(), ComputedAt: time.Now()}, nil
}
