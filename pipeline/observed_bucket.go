package pipeline

import (
	"cmp"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Bucket returns the bucket with what is read from it and written to it observed.
func (o Observer) Bucket(b Bucket) Bucket {
	all := Observers(o)
	b.Source = observedSource{b.Source, &all}
	b.Records = observedRecords{b.Records, &all}
	if b.Checkpoints != nil {
		b.Checkpoints = observedCheckpoints{b.Checkpoints, &all}
	}
	return b
}

type observedSource struct {
	Source
	observer *Observer
}

// Open implements Source.
func (s observedSource) Open(ctx context.Context, o Object) (Reader, error) {
	return s.open(ctx, o, 0, s.Source.Open)
}

// OpenAt implements Source.
func (s observedSource) OpenAt(ctx context.Context, o Object, offset int64) (Reader, error) {
	return s.open(ctx, o, offset, func(ctx context.Context, o Object) (Reader, error) { return s.Source.OpenAt(ctx, o, offset) })
}

func (s observedSource) open(ctx context.Context, o Object, offset int64, open func(context.Context, Object) (Reader, error)) (r Reader, err error) {
	err = s.observer.Do(ctx, StepOpen, o, func(ctx context.Context) error {
		r, err = open(ctx, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	x := &observedReader{Reader: r, observer: s.observer, reading: Reading{Object: r.Object(), From: offset}, began: time.Now()}
	x.reading.offset.Store(offset)
	x.ctx = s.observer.Step(ctx, StepHash, x.reading.Object)
	s.observer.Opened(&x.reading)
	return x, nil
}

// Reading is an object that is being read.
type Reading struct {
	Object Object
	From   int64 // offset at which it was opened: above 0 where it resumes at a checkpoint
	offset atomic.Int64
}

// Offset returns the offset of the next byte to read. Safe for concurrent use.
func (r *Reading) Offset() int64 { return r.offset.Load() }

// observedReader counts the bytes that are read. Every observer uses its count.
type observedReader struct {
	Reader
	observer *Observer
	reading  Reading
	ctx      context.Context // of StepHash
	began    time.Time
	err      error // the last error of a read
	closed   sync.Once
}

// Read implements io.Reader.
func (r *observedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.count(n, err)
	return n, err
}

// ReadNow implements digest.ReaderNow.
func (r *observedReader) ReadNow(p []byte) (int, error) {
	n, err := digest.ReadNow(r.Reader, p)
	if digest.Waits(err) {
		r.count(n, nil) // a wait is not a failure
	} else {
		r.count(n, err)
	}
	return n, err
}

func (r *observedReader) count(n int, err error) {
	if err != nil && err != io.EOF {
		r.err = err
	}
	if n > 0 {
		r.reading.offset.Add(int64(n))
		r.observer.Advanced(n)
	}
}

// Close implements io.Closer.
func (r *observedReader) Close() error {
	err := r.Reader.Close()
	r.closed.Do(func() {
		r.observer.Closed(&r.reading)
		r.observer.Stepped(r.ctx, StepHash, r.began, cmp.Or(r.err, err))
	})
	return err
}

type observedRecords struct {
	Recorder
	observer *Observer
}

// Lookup implements Recorder.
func (r observedRecords) Lookup(ctx context.Context, o Object) (record Record, seen Seen, err error) {
	err = r.observer.Do(ctx, StepLookup, o, func(ctx context.Context) error {
		record, seen, err = r.Recorder.Lookup(ctx, o)
		return err
	})
	return record, seen, err
}

// Save implements Recorder.
func (r observedRecords) Save(ctx context.Context, record Record, seen Seen) error {
	return r.observer.Do(ctx, StepRecord, record.Source, func(ctx context.Context) error { return r.Recorder.Save(ctx, record, seen) })
}

// Remove implements Recorder.
func (r observedRecords) Remove(ctx context.Context, o Object, seen Seen) (removed bool, err error) {
	err = r.observer.Do(ctx, StepRemove, o, func(ctx context.Context) error {
		removed, err = r.Recorder.Remove(ctx, o, seen)
		return err
	})
	return removed, err
}

type observedCheckpoints struct {
	Checkpoints
	observer *Observer
}

// Save implements Checkpoints.
func (c observedCheckpoints) Save(ctx context.Context, o Object, state []byte) error {
	return c.observer.Do(ctx, StepCheckpoint, o, func(ctx context.Context) error { return c.Checkpoints.Save(ctx, o, state) })
}
