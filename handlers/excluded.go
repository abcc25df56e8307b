package handlers

import (
	"context"
	"errors"
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline"
)

// excluded removes the record that an object has from the time before it was
// excluded, if that is of another version than the current one: left alone, it
// would call the object damaged. That of an object which was deleted goes as any
// other. Everything else is ErrFiltered.
func (c Config) excluded(ctx context.Context, b pipeline.Bucket, o pipeline.Object, deleted bool) (pipeline.Result, error) {
	filtered := fmt.Errorf("%s is %w", o, pipeline.ErrFiltered)
	record, err := b.Records.Lookup(ctx, o)
	switch {
	case errors.Is(err, pipeline.ErrNotFound) && !deleted:
		return pipeline.Result{}, filtered // and most have none
	case err != nil && !errors.Is(err, pipeline.ErrNotFound):
		return pipeline.Result{}, err
	}
	now, err := current(ctx, b.Source, o)
	switch {
	case errors.Is(err, pipeline.ErrNotFound) && c.KeepRecords, err == nil && record.Source.SameVersion(now):
		return pipeline.Result{}, filtered
	case err != nil && !errors.Is(err, pipeline.ErrNotFound):
		return pipeline.Result{}, err
	}
	removed, err := b.Records.Remove(ctx, o)
	if err != nil {
		return pipeline.Result{}, err
	}
	if !removed {
		return pipeline.Result{}, filtered
	}
	return pipeline.Result{Outcome: pipeline.Removed, Record: pipeline.Record{Source: o}}, nil
}
