package handlers

import (
	"context"
	"errors"

	"github.com/bucketsum/bucketsum/pipeline"
)

// state is the state of a key, as an event or a look at the store shows it.
type state struct {
	object pipeline.Object
	gone   bool
}

// A step makes the record agree with a state. It returns another state if it finds the key in one,
// and the result otherwise. Only ErrMismatch comes with a result.
type step func(context.Context, pipeline.Bucket, pipeline.Object) (pipeline.Result, *state, error)

// reconcile makes the record of a key agree with its object. It takes steps until one ends without
// finding the key in another state.
func (c Config) reconcile(ctx context.Context, b pipeline.Bucket, s state) (pipeline.Result, error) {
	for {
		var take step = c.checksum
		if s.gone {
			take = c.tombstone
		}
		result, other, err := take(ctx, b, s.object)
		if err != nil || other == nil {
			return result, err
		}
		s = *other
	}
}

// confirm looks at the object again after its record was written. The object may have been replaced or
// deleted just before that, and the event of the change may have been handled already: no other
// event would correct the record.
func (c Config) confirm(ctx context.Context, b pipeline.Bucket, result pipeline.Result) (pipeline.Result, *state, error) {
	o := result.Record.Source
	now, err := current(ctx, b.Source, o)
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return pipeline.Result{}, &state{object: o, gone: true}, nil
	case err != nil:
		return pipeline.Result{}, nil, err
	case !now.SameVersion(o):
		return pipeline.Result{}, &state{object: now}, nil
	}
	return result, nil, nil
}

// current returns the current version of the object's key, with the Sequencer of o.
func current(ctx context.Context, source pipeline.Source, o pipeline.Object) (pipeline.Object, error) {
	// The version of o is left out: a store without versions would return it unchanged.
	now, err := source.Stat(ctx, pipeline.Object{Bucket: o.Bucket, Key: o.Key, Size: pipeline.UnknownSize})
	now.Sequencer = o.Sequencer
	return now, err
}
