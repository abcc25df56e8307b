package handlers

import (
	"context"
	"errors"
	"sync"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// orphan returns the row of a record whose object does not exist. A record whose object was listed just before, as
// the usual KEY.md5 is, costs no request. All records of one object have one row together.
func (x *examiner) orphan(ctx context.Context, t *item) (sweep.Row, error) {
	if x.plan.Command != sweep.Verify || x.options.Against || x.listed.has(t.Object) {
		return sweep.Row{}, nil
	}
	gone := func() (bool, error) {
		_, err := t.bucket.Source.Stat(ctx, t.Object)
		if errors.Is(err, pipeline.ErrNotFound) {
			return true, nil
		}
		return false, err
	}
	if is, err := gone(); err != nil || !is {
		return sweep.Row{}, err
	}
	record, _, err := t.bucket.Records.Lookup(ctx, t.Object)
	if errors.Is(err, pipeline.ErrNotFound) {
		return sweep.Row{}, nil // bucketsum did not write it, or it has gone with its object
	}
	if err != nil {
		return sweep.Row{}, err
	}
	// The object may have been there again when the record was looked up.
	if is, err := gone(); err != nil || !is {
		return sweep.Row{}, err
	}
	if x.orphans.first(t.Object, t.At) != t.At {
		return sweep.Row{}, nil // the record of another algorithm has it
	}
	return recorded(t.row(record.Source, sweep.Orphan, ""), record), nil
}

// maxRecent limits the memory of recent objects to a few megabytes with the longest keys.
const maxRecent = 4096

// recent remembers the objects that were listed last, with the position of their first item. Safe for concurrent use.
type recent struct {
	mu    sync.Mutex
	at    map[objectName]string
	order []objectName // a ring
	next  int          // the oldest one in order, once it is full
}

func newRecent() *recent { return &recent{at: make(map[objectName]string)} }

// first remembers an object at a position, unless it is remembered already, and returns the remembered position.
func (r *recent) first(o pipeline.Object, at string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := nameOf(o)
	if known, ok := r.at[name]; ok {
		return known
	}
	if len(r.order) < maxRecent {
		r.order = append(r.order, name)
	} else {
		delete(r.at, r.order[r.next])
		r.order[r.next] = name
		r.next = (r.next + 1) % maxRecent
	}
	r.at[name] = at
	return at
}

func (r *recent) has(o pipeline.Object) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.at[nameOf(o)]
	return ok
}
