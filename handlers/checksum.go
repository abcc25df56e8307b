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
	if record, err := c.recorded(ctx, b, o); err != nil || record != nil {
		if err != nil {
			return pipeline.Result{}, err
		}
		return pipeline.Result{Outcome: pipeline.Current, Record: *record}, nil
	}
	record, err := c.digest(ctx, b.Source, o)
	if err != nil {
		return pipeline.Result{}, err
	}
	// What was overwritten while it was read has a newer event on its way,
	// whose record this one must not cross.
	now, err := b.Source.Stat(ctx, o)
	if err != nil {
		return pipeline.Result{}, err
	}
	if !now.SameVersion(record.Source) {
		return pipeline.Result{}, fmt.Errorf("%s was overwritten while it was read: %w", o, pipeline.ErrChanged)
	}
	if err := b.Records.Save(ctx, record); err != nil {
		return pipeline.Result{}, err
	}
	return pipeline.Result{Outcome: pipeline.Recorded, Record: record}, nil
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
		if o, err = b.Source.Stat(ctx, o); err != nil {
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
	size, err := digest.Copy(ctx, d, r)
	// A failed Close after the last byte took nothing from the digest.
	_ = r.Close()
	if err != nil {
		return pipeline.Record{}, fmt.Errorf("read %s: %w", o, err)
	}
	read := r.Object()
	if read.Size != pipeline.UnknownSize && read.Size != size {
		return pipeline.Record{}, fmt.Errorf("read %s: got %d bytes of %d", o, size, read.Size)
	}
	read.Size, read.Sequencer = size, o.Sequencer
	return pipeline.Record{Source: read, Digests: d.Sums(), ComputedAt: time.Now()}, nil
}
