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
	if c.KeepRecords {
		return result, nil
	}
	now, err := b.Source.Stat(ctx, pipeline.Object{Bucket: o.Bucket, Key: o.Key, Sequencer: o.Sequencer})
	if err == nil {
		return c.checksum(ctx, b, now)
	}
	if !errors.Is(err, pipeline.ErrNotFound) {
		return result, err
	}
	removed, err := b.Records.Remove(ctx, o)
	if removed {
		result.Outcome = pipeline.Removed
	}
	return result, err
}
