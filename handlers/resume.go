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

// Resume says how the reading of large objects survives its worker. The zero value
// is never. It takes buckets with Checkpoints, and algorithms that are resumable.
type Resume struct {
	// Above is the size, in bytes, above which objects have checkpoints.
	Above int64
	// Every is how many bytes are read between two checkpoints; what comes slowly
	// has one every few minutes. 0: there are none.
	Every int64
	// Slice is how long one handling of an event reads an object that has
	// checkpoints, before it ends with pipeline.Unfinished. 0: to the end.
	Slice time.Duration
}

const (
	// checkpointTime is how long what comes slowly is read between checkpoints.
	checkpointTime = 5 * time.Minute
	// lastSave bounds how long the checkpoint of interrupted work takes: the
	// pipeline leaves a handler behind a little later.
	lastSave = 4 * time.Second
)

// validate returns what is wrong.
func (r Resume) validate() error {
	if r.Above < 0 || r.Every < 0 || r.Slice < 0 {
		return errors.New("sizes and times of checkpoints cannot be negative")
	}
	return nil
}

// unresumable tells once that objects are read to the end or not at all.
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
			c.Log.WarnContext(ctx, "large objects have no checkpoints, as the state of these algorithms cannot be saved: who is interrupted begins again",
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
	saved   int64     // bytes, at the last checkpoint
	tried   time.Time // when that was, or the last attempt
	until   time.Time // the end of the slice; zero: none
}

// begin opens the object where its last checkpoint is, else at its beginning. With
// e it always is the beginning.
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
			"read %s: its store tells neither version nor ETag, so that nobody could tell what the checksum is of", o))
	}
	x.resumes = c.resumes(ctx, b, opened.Size)
	if e == nil && x.resumes && !(named && o.Size == opened.Size) {
		// The event did not tell that there may be a checkpoint.
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

// resume opens the object at its checkpoint, if it has one that is of this version.
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
	c.Log.LogAttrs(ctx, slog.LevelInfo, "reading goes on at a checkpoint", append(attrs(r.Object()),
		slog.Int64("offset", p.Offset), slog.Int64("size", r.Object().Size))...)
	return true, nil
}

// copy reads to the end of the object, or of the slice: pipeline.Unfinished.
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
			continue // to the end, which may still be an error
		}
		if x.save(ctx) && !x.until.IsZero() && !time.Now().Before(x.until) && offset > began {
			return pipeline.Unfinished(x.progress())
		}
	}
}

// progress grows until the object is read, twice if it must be.
func (x *reading) progress() int64 {
	n := x.verifier.digests.Size()
	if x.earlier != nil && n < math.MaxInt64-x.Object().Size {
		n += x.Object().Size
	}
	return n
}

// interrupted keeps what was read when something else than the object ends the
// reading of it: the next attempt, of this worker or another, goes on there.
func (x *reading) interrupted(ctx context.Context, err error) {
	lost := errors.Is(context.Cause(ctx), pipeline.ErrLeaseLost) // another worker may be further by now
	if lost || pipeline.Classify(err) != pipeline.ClassTransient && ctx.Err() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSave)
	defer cancel()
	switch offset := x.verifier.digests.Size(); {
	case offset >= x.Object().Size:
		// All of it came and is wrong, nobody knows from which byte on.
		x.config.forget(ctx, x.bucket, x.Object())
	case offset > x.saved:
		x.save(ctx)
	}
}

// save writes a checkpoint and reports whether it is there. Without it the work
// goes on.
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

// forget deletes the checkpoint of an object that is done with. That of another
// version stays: somebody else may be at work on it.
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

// section is the next stretch of a reader: so many bytes, or what comes until a
// time, but not nothing.
type section struct {
	r     io.Reader
	left  int64
	until time.Time
	any   bool // something came
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
