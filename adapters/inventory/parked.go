package inventory

import (
	"context"
	"errors"
)

// reading is an open file of rows. One whose rows were not all wanted stays open: the next range begins there when a
// pass is cut into reports, and a compressed file can be read from its beginning only.
type reading struct {
	rows
	file int
	row  int64 // the last one that was read

	cancel context.CancelCauseFunc // of what the rows are read with
	detach func() bool             // lets the reading outlive the context of its reader
}

// begin returns the reading of a part of a file, at any row in front of it.
func (v *Inventory) begin(ctx context.Context, p part) (*reading, error) {
	v.mu.Lock()
	r := v.parked
	if fits := r != nil && r.file == p.file && r.row <= p.after; fits {
		v.parked = nil
	} else {
		r = nil
	}
	v.mu.Unlock()
	if r == nil {
		lasting, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		rows, err := v.rowsOf(lasting, v.files[p.file])
		if err != nil {
			cancel(nil)
			return nil, err
		}
		r = &reading{rows: rows, file: p.file, cancel: cancel}
	}
	r.detach = context.AfterFunc(ctx, func() { r.cancel(context.Cause(ctx)) })
	return r, nil
}

// end ends a reading, after an error if there was one.
func (v *Inventory) end(r *reading, err error) {
	if !r.detach() || v.config.Scattered || err != nil && !errors.Is(err, errEnough) {
		r.finish()
		return
	}
	v.mu.Lock()
	before := v.parked
	v.parked = r
	v.mu.Unlock()
	before.finish()
}

func (r *reading) finish() {
	if r != nil {
		r.close()
		r.cancel(nil)
	}
}

// Close closes what is open. The caller of Items has ended.
func (v *Inventory) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.parked.finish()
	v.parked = nil
	return nil
}
