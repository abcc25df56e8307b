package handlers

import (
	"context"
	"errors"
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline"
)

// excluded handles an object that the configuration excludes. A record from before the exclusion that
// belongs to an older version is removed, because it would make the object look damaged. The record of a
// deleted object is removed as usual. In all other cases the error is ErrFiltered.
func (c Config) excluded(ctx context.Context, b pipeline.Bucket, s state) (pipeline.Result, error) {
	o := s.object
	filtered := fmt.Errorf("%s is %w", o, pipeline.ErrFiltered)
	record, err := b.Records.Lookup(ctx, o)
	switch {
	case errors.Is(err, pipeline.ErrNotFound) && !s.gone:
		return pipeline.Result{}, filtered // the usual case: it has no record
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
