package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// large is a store with checkpoints. Its readers start at any offset and return a few bytes at once. A panic
// of onByte stands for the end of the process.
type large struct {
	*store
	onByte            func(ctx context.Context, offset int64) // before each read
	damage            func(p []byte, offset int64)            // of what is read
	loadErr, writeErr error
	atHand            bool // bytes are at hand, except in every third read

	mu          sync.Mutex
	read        int64 // bytes, of all readers
	checkpoints map[string][]byte
	saves       int
	fetched     int64 // part of read that was at hand
}

func newLarge() *large { return &large{store: newStore(), checkpoints: make(map[string][]byte)} }

func (l *large) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	return l.OpenAt(ctx, o, 0)
}

func (l *large) OpenAt(ctx context.Context, o pipeline.Object, offset int64) (pipeline.Reader, error) {
	opened, err := l.store.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, opened.(*reader).Reader, offset); err != nil {
		return nil, err
	}
	return &largeReader{opened.(*reader), ctx, l, offset}, nil
}

type largeReader struct {
	*reader
	ctx    context.Context
	large  *large
	offset int64
}

func (r *largeReader) Read(p []byte) (int, error) {
	if r.large.onByte != nil {
		r.large.onByte(r.ctx, r.offset)
	}
	n, err := r.reader.Read(p[:min(len(p), 7)])
	if r.large.damage != nil {
		r.large.damage(p[:n], r.offset)
	}
	r.offset += int64(n)
	r.large.mu.Lock()
	defer r.large.mu.Unlock()
	r.large.read += int64(n)
	return n, err
}

// ReadNow implements digest.ReaderNow.
func (r *largeReader) ReadNow(p []byte) (int, error) {
	if !r.large.atHand {
		return 0, errors.ErrUnsupported
	}
	if r.offset/7%3 == 2 {
		return 0, digest.ErrWait
	}
	n, err := r.Read(p)
	r.large.mu.Lock()
	defer r.large.mu.Unlock()
	r.large.fetched += int64(n)
	return n, err
}

func (l *large) Load(_ context.Context, o pipeline.Object) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loadErr != nil {
		return nil, l.loadErr
	}
	if state, ok := l.checkpoints[o.Key]; ok {
		return bytes.Clone(state), nil
	}
	return nil, pipeline.ErrNotFound
}

// checkpointsOf separates the methods of Checkpoints from those of Recorder.
type checkpointsOf struct{ *large }

func (c checkpointsOf) Save(ctx context.Context, o pipeline.Object, state []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c.writeErr != nil {
		return c.writeErr
	}
	c.saves++
	c.large.checkpoints[o.Key] = bytes.Clone(state)
	return nil
}

func (c checkpointsOf) Delete(_ context.Context, o pipeline.Object) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.large.checkpoints, o.Key)
	return nil
}

// left returns the keys that have checkpoints.
func (l *large) left() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.checkpoints))
}

// logged collects log lines.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// worker returns the handler of a new process, and its log.
func (l *large) worker(t testing.TB, a *announced, r handlers.Resume, change ...func(*handlers.Config)) (pipeline.Handler, *logged) {
	log := &logged{}
	handle := handlerOf(t, l.store, a, append(change, func(c *handlers.Config) {
		c.Buckets = map[string]pipeline.Bucket{bucketName: {Source: l, Records: l.store, Checkpoints: checkpointsOf{l}}}
		c.Resume = r
		c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})...)
	return handle, log
}

// killed runs the work and reports whether the process was killed.
func killed(work func() error) (dead bool, err error) {
	defer func() {
		if v := recover(); v == "SIGKILL" {
			dead = true
		} else if v != nil {
			panic(v)
		}
	}()
	return false, work()
}
