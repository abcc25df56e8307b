package handlers

import (
	"context"
	"errors"

	"github.com/bucketsum/bucketsum/pipeline"
)

// tombstone removes the record of an object that is gone. An object that is
// there after all is summed: it was put back since, or a version was deleted
// and an older one is current again, which no other event tells.
func (c Config) tombstone(ctx context.Context, b pipeline.Bucket, o pipeline.Object) (pipeline.Result, error) {
	result := pipeline.Result{Outcome: pipeline.Kept, Record: pipeline.Record{Source: o}}
	now, err := current(ctx, b.Source, o)
	if err == nil {
		return c.checksum(ctx, b, now)
	}
	if !errors.Is(err, pipeline.ErrNotFound) {
		return pipeline.Result{}, err
	}
	if c.KeepRecords {
		return result, nil
	}
	removed, err := b.Records.Remove(ctx, o)
	if err != nil {
		return pipeline.Result{}, err
	}
	if !removed {
		return result, nil
	}
	// The object may have been put back since the look, and the event of that
	// may have found the record that is gone now.
	now, err = current(ctx, b.Source, o)
	if err == nil {
		return c.checksum(ctx, b, now)
	}
	if !errors.Is(err, pipeline.ErrNotFound) {
		return pipeline.Result{}, err
	}
	result.Outcome = pipeline.Removed
	return result, nil
}
