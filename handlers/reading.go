package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Resume says how the reading of a large object survives the end of its worker. The zero value never
// resumes. It needs buckets with Checkpoints and resumable algorithms.
type Resume struct {
	// Above is the size in bytes above which objects have checkpoints.
	Above int64
	// Every is the number of bytes between two checkpoints. A slow reading saves a checkpoint
	// every few minutes. 0: no checkpoints.
	Every int64
	// Slice is how long one handling of an event reads an object with checkpoints before it ends
	// with pipeline.Unfinished. 0: without limit.
	Slice time.Duration
}

const (
	// checkpointTime is the longest time between two checkpoints.
	checkpointTime = 5 * time.Minute
	// lastSave limits the saving of a checkpoint after an interruption. A little later the
	// pipeline stops waiting for the handler.
	lastSave = 4 * time.Second
)

// validate returns the fault of the configuration.
func (r Resume) validate() error {
	if r.Above < 0 || r.Every < 0 || r.Slice < 0 {
		return errors.New("sizes and times of checkpoints cannot be negative")
	}
	return nil
}

// unresumable returns a function that logs, once, that some algorithms cannot be resumed. It returns nil if
// all of them can.
func unresumable(c Config) func(context.Context) {
	var names []string
	for _, name := range c.Algorithms {
		if !digest.Resumable(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	var once sync.Once
	return func(ctx context.Context) {
		once.Do(func() {
			c.Log.WarnContext(ctx, "large objects have no checkpoints, because the state of these algorithms cannot be saved: an interrupted reading starts again",
				"algorithms", strings.Join(names, ", "))
		})
	}
}

// resumes reports whether an object of this size has checkpoints.
func (c Config) resumes(ctx context.Context, b pipeline.Bucket, size int64) bool {
	if b.Checkpoints == nil || c.Resume.Every == 0 || size <= c.Resume.Above {
		return false
	}
	if c.unresumable != nil {
		c.unresumable(ctx)
		return false
	}
	return true
}

// reading is an object that is being read and digested.
type reading struct {
	pipeline.Reader
	config   Config
	bucket   pipeline.Bucket
	verifier *verifier
	earlier  *earlier // what the first reading found, if this is the second

	resumes bool
	saved   int64     // offset of the last checkpoint
	tried   time.Time // of the last checkpoint, or of the last attempt to save one
	until   time.Time // the end of the slice; zero: none
}

// begin opens the object at its last checkpoint, else at its beginning. With e it always starts at the
// beginning.
func (c Config) begin(ctx context.Context, b pipeline.Bucket, o pipeline.Object, e *earlier) (*reading, error) {
	x := &reading{config: c, bucket: b, earlier: e, tried: time.Now()}
	named := o.VersionID != "" || o.ETag != ""
	if e == nil && named && c.resumes(ctx, b, o.Size) {
		if found, err := x.resume(ctx, o); found || err != nil {
			return x, err
		}
	}
	r, err := b.Source.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	opened := r.Object()
	if opened.VersionID == "" && opened.ETag == "" {
		_ = r.Close() // nothing was read
		return nil, pipeline.Permanent(fmt.Errorf(
			"read %s: its store reports neither a version nor an ETag, so a checksum could not be attributed to a version", o))
	}
	if c.atMost > 0 && opened.Size > c.atMost {
		_ = r.Close() // nothing was read
		return nil, errAgain
	}
	x.resumes = c.resumes(ctx, b, opened.Size)
	if e == nil && x.resumes && !(named && o.Size == opened.Size) {
		// The event lacked the size or the version that a checkpoint is found by.
		found, err := x.resume(ctx, opened)
		if found || err != nil {
			_ = r.Close() // nothing was read
			return x, err
		}
	}
	x.Reader = r
	if x.verifier, err = c.verifier(ctx, r, e != nil); err != nil {
		_ = r.Close() // nothing was read
		return nil, err
	}
	return x, nil
}

// resume opens the object at its checkpoint and reports whether it has one of this version.
func (x *reading) resume(ctx context.Context, o pipeline.Object) (bool, error) {
	c := x.config
	ignored := func(err error) (bool, error) {
		c.Log.LogAttrs(ctx, slog.LevelWarn, "checkpoint ignored, the object is read from its beginning", append(attrs(o), slog.Any("err", err))...)
		return false, nil
	}
	data, err := x.bucket.Checkpoints.Load(ctx, o)
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return false, nil
	case pipeline.Classify(err) == pipeline.ClassTransient:
		return false, fmt.Errorf("load the checkpoint of %s: %w", o, err)
	case err != nil:
		return ignored(err)
	}
	p, err := parseCheckpoint(data)
	if err != nil {
		return ignored(err)
	}
	if !p.isOf(o) {
		return ignored(errForeign)
	}
	r, err := x.bucket.Source.OpenAt(ctx, o, p.Offset)
	if err != nil {
		return false, err
	}
	v, err := c.verifier(ctx, r, p.Earlier != nil)
	if err != nil {
		_ = r.Close() // nothing was read
		return false, err
	}
	if !p.isOf(r.Object()) {
		err = errForeign
	}
	if err == nil {
		err = v.digests.Restore(p.State)
	}
	if err == nil && v.digests.Size() != p.Offset {
		err = fmt.Errorf("its state is of %d bytes, not %d", v.digests.Size(), p.Offset)
	}
	if err != nil {
		_ = r.Close() // nothing was read
		return ignored(err)
	}
	x.Reader, x.verifier, x.earlier, x.saved, x.resumes = r, v, p.Earlier, p.Offset, true
	c.Log.LogAttrs(ctx, slog.LevelInfo, "reading resumes at a checkpoint", append(attrs(r.Object()),
		slog.Int64("offset", p.Offset), slog.Int64("size", r.Object().Size))...)
	return true, nil
}

// copy reads to the end of the object, or to the end of the slice: pipeline.Unfinished.
func (x *reading) copy(ctx context.Context) error {
	if !x.resumes {
		_, err := digest.Copy(ctx, x.verifier.digests, x.Reader)
		return err
	}
	began, size := x.saved, x.Object().Size
	for {
		part := section{r: x.Reader, left: x.config.Resume.Every, until: x.tried.Add(checkpointTime)}
		if x.until.After(x.tried) && x.until.Before(part.until) {
			part.until = x.until
		}
		_, err := digest.Copy(ctx, x.verifier.digests, &part)
		offset := x.verifier.digests.Size()
		switch {
		case err != nil:
			x.interrupted(ctx, err)
			return err
		case part.ended:
			return nil
		case offset >= size:
			continue // to the end of the reader, which may still fail
		}
		if x.save(ctx) && !x.until.IsZero() && !time.Now().Before(x.until) && offset > began {
			return pipeline.Unfinished(x.progress())
		}
	}
}

// progress grows until the object is read. A second reading counts on from the size of the object.
func (x *reading) progress() int64 {
	n := x.verifier.digests.Size()
	if x.earlier != nil && n < math.MaxInt64-x.Object().Size {
		n += x.Object().Size
	}
	return n
}

// interrupted saves a checkpoint if the reading ended for another reason than the object itself. The next
// attempt, by this worker or another, resumes there.
func (x *reading) interrupted(ctx context.Context, err error) {
	lost := errors.Is(context.Cause(ctx), pipeline.ErrLeaseLost) // another worker may have come further
	gone := errors.Is(err, pipeline.ErrChanged) || errors.Is(err, pipeline.ErrNotFound)
	if lost || gone || pipeline.Classify(err) != pipeline.ClassTransient && ctx.Err() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSave)
	defer cancel()
	switch offset := x.verifier.digests.Size(); {
	case offset >= x.Object().Size:
		// The whole content was read and is wrong, at an unknown offset.
		x.config.forget(ctx, x.bucket, x.Object())
	case offset > x.saved:
		x.save(ctx)
	}
}

// save writes a checkpoint and reports whether it was saved. The work continues if it was not.
func (x *reading) save(ctx context.Context) bool {
	x.tried = time.Now()
	o := x.Object()
	state, err := x.verifier.digests.Save()
	offset := x.verifier.digests.Size()
	if err == nil {
		err = x.bucket.Checkpoints.Save(ctx, o, checkpoint{Object: o, Offset: offset, State: state, Earlier: x.earlier}.marshal())
	}
	if err != nil {
		x.config.Log.LogAttrs(ctx, slog.LevelWarn, "checkpoint not saved", append(attrs(o), slog.Int64("offset", offset), slog.Any("err", err))...)
		return false
	}
	x.saved = offset
	x.config.Log.LogAttrs(ctx, slog.LevelDebug, "checkpoint saved", append(attrs(o), slog.Int64("offset", offset))...)
	return true
}

// forget deletes the checkpoint of an object after the work. A checkpoint of another version stays, because
// another worker may use it.
func (c Config) forget(ctx context.Context, b pipeline.Bucket, o pipeline.Object) {
	if o.Size == pipeline.UnknownSize {
		o.Size = math.MaxInt64
	}
	if b.Checkpoints == nil || c.Resume.Every == 0 || o.Size <= c.Resume.Above {
		return
	}
	data, err := b.Checkpoints.Load(ctx, o)
	if err == nil {
		if p, bad := parseCheckpoint(data); bad == nil && !o.SameVersion(p.Object) && (o.VersionID != "" || o.ETag != "") {
			return
		}
		err = b.Checkpoints.Delete(ctx, o)
	}
	if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
		c.Log.LogAttrs(ctx, slog.LevelWarn, "checkpoint not deleted", append(attrs(o), slog.Any("err", err))...)
	}
}

// section is the next part of a reader: at most left bytes, and at most the bytes that arrive before a
// time, but always at least one.
type section struct {
	r     io.Reader
	left  int64
	until time.Time
	any   bool // at least one byte was read
	ended bool // the reader is at its end
}

// Read implements io.Reader.
func (s *section) Read(p []byte) (int, error) { return s.read(p, s.r.Read) }

// ReadNow implements digest.ReaderNow.
func (s *section) ReadNow(p []byte) (int, error) {
	return s.read(p, func(p []byte) (int, error) { return digest.ReadNow(s.r, p) })
}

func (s *section) read(p []byte, read func(p []byte) (int, error)) (int, error) {
	if s.left == 0 || s.any && !time.Now().Before(s.until) {
		return 0, io.EOF
	}
	n, err := read(p[:min(int64(len(p)), s.left)])
	s.any = s.any || n > 0
	s.left -= int64(n)
	s.ended = err == io.EOF
	return n, err
}
