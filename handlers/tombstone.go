package handlers

import (
	"context"
	"errors"

	"github.com/bucketsum/bucketsum/pipeline"
)

// tombstone removes the record of an object that is gone. If the object exists, it was put back, or a
// version was deleted and an older one became current; no other event reports that.
func (c Config) tombstone(ctx context.Context, b pipeline.Bucket, o pipeline.Object) (pipeline.Result, *state, error) {
	result := pipeline.Result{Outcome: pipeline.Kept, Record: pipeline.Record{Source: o}}
	if s, err := exists(ctx, b, o); s != nil || err != nil {
		return pipeline.Result{}, s, err
	}
	if c.KeepRecords {
		return result, nil, nil
	}
	removed, err := b.Records.Remove(ctx, o)
	switch {
	case err != nil && pipeline.Classify(err) != pipeline.ClassSuperseded:
		return pipeline.Result{}, nil, err
	case err == nil && !removed:
		return result, nil, nil
	}
	// If there is a newer record of one algorithm, that of another one may have been removed.
	// The object may have been put back after the first look, and the event of that may have found
	// the record that is now removed.
	if s, err := exists(ctx, b, o); s != nil || err != nil {
		return pipeline.Result{}, s, err
	}
	if err != nil {
		return pipeline.Result{}, nil, err
	}
	result.Outcome = pipeline.Removed
	return result, nil, nil
}

// exists returns the state of the object's key if there is an object.
func exists(ctx context.Context, b pipeline.Bucket, o pipeline.Object) (*state, error) {
	now, err := current(ctx, b.Source, o)
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &state{object: now}, nil
}
