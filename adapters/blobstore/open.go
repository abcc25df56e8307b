package blobstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

var _ pipeline.Source = (*Store)(nil)

// Stat implements pipeline.Source.
func (s *Store) Stat(ctx context.Context, o pipeline.Object) (pipeline.Object, error) {
	err := checkKey(s.bucket, s.traits, o.Key)
	var now driver.State
	if err == nil {
		now, err = s.bucket.Stat(ctx, o.Key)
	}
	if err == nil {
		err = s.isObject(ctx, o.Key, now)
	}
	if err != nil {
		return o, fmt.Errorf("look at %s: %w", printable(o), readable.Error(err))
	}
	return now.Of(o), nil
}

// Open implements pipeline.Source. What is opened must have the ETag that o
// names, if it names one. The reader fails with ErrChanged when the content does
// not have the length that it began with. Whether the object changed otherwise
// while it was read, the caller asks Stat.
func (s *Store) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	r, err := s.open(ctx, o, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", printable(o), readable.Error(err))
	}
	return r, nil
}

// OpenAt implements pipeline.Source. It is Open in everything else.
func (s *Store) OpenAt(ctx context.Context, o pipeline.Object, offset int64) (pipeline.Reader, error) {
	r, err := s.open(ctx, o, offset)
	if err != nil {
		return nil, fmt.Errorf("open %s at byte %d: %w", printable(o), offset, readable.Error(err))
	}
	return r, nil
}

func (s *Store) open(ctx context.Context, o pipeline.Object, offset int64) (*reader, error) {
	if err := checkKey(s.bucket, s.traits, o.Key); err != nil {
		return nil, err
	}
	request, cancel := ctx, context.CancelCauseFunc(nil)
	if !s.traits.Local {
		request, cancel = context.WithCancelCause(ctx)
	}
	c, err := s.bucket.Open(request, o, offset)
	if err == nil {
		if err = s.isObject(ctx, o.Key, c.State); err == nil && (offset > c.Size || !c.Is(o)) {
			err = fmt.Errorf("%w: it has ETag %s and %d bytes", pipeline.ErrChanged, c.ETag, c.Size)
		}
		if err != nil && c.Body != nil {
			_ = c.Body.Close() // nothing was read
		}
	}
	if err != nil {
		if cancel != nil {
			cancel(nil)
		}
		return nil, err
	}
	r := &reader{content: c, object: c.Of(o), read: offset, body: c.Body}
	switch {
	case c.Range != nil:
		r.body = newRanges(newResuming(ctx, &s.reading, r, cancel))
	case cancel != nil:
		r.cancel = cancel
	}
	if len(c.Guard) > 0 && offset == 0 && !s.reading.unguarded {
		r.guard = newGuard(c.Guard)
	}
	return r, nil
}

// isObject returns ErrOwnRecord for what bucketsum wrote as a record, also
// where the layout has no records now, and ErrFiltered for what stands for a folder.
func (s *Store) isObject(ctx context.Context, key string, now driver.State) error {
	metadata := now.Metadata
	// A look at metadata that does not come with the state is worth it for a small object
	// with the name of an algorithm in its key only.
	if s.traits.Local && now.Size <= maxLine && mayBeRecord(key) {
		b, err := s.bucket.Get(ctx, key, recordLimit)
		switch {
		case errors.Is(err, pipeline.ErrNotFound):
			return nil // the caller will notice when it opens the object
		case err != nil:
			return err
		}
		metadata = b.Metadata
	}
	if err := ownRecord(metadata, key); err != nil {
		return err
	}
	if s.traits.Local {
		return nil
	}
	return driver.FolderMark(key, now.Size)
}

// checkKey explains why no object can have the key; nil if one can. The error is Permanent, and wraps
// ErrNotFound.
func checkKey(b driver.Bucket, t driver.Traits, key string) error {
	err := b.Check(key)
	n, unit := t.KeyLength(key)
	switch {
	case err != nil:
	case key == "":
		err = errors.New("an object's key cannot be empty")
	case !utf8.ValidString(key):
		err = fmt.Errorf("the key %q is not UTF-8", key)
	case t.KeyLimit > 0 && n > t.KeyLimit:
		err = fmt.Errorf("the key has %d %s; %s has none of more than %d", n, unit, t.Name, t.KeyLimit)
	}
	if err == nil {
		return nil
	}
	return pipeline.Permanent(&impossibleKey{err})
}

// impossibleKey is the error of a key that no object can have. Its text is that of err.
type impossibleKey struct{ err error }

func (e *impossibleKey) Error() string   { return e.err.Error() }
func (e *impossibleKey) Unwrap() []error { return []error{e.err, pipeline.ErrNotFound} }

// reading is what all readers of a store share.
type reading struct {
	log       *slog.Logger
	bucket    string // its name in the log
	memory    *Memory
	unguarded bool
	stall     time.Duration // how long a body may give nothing before its rest is asked for again
	patience  float64       // share of its time that a reader waits before ranges are worth it
}

// reader is the content of one object, used by one goroutine at a time. It has no WriteTo:
// the body's would bypass the check of the length.
type reader struct {
	content driver.Content
	object  pipeline.Object
	body    io.ReadCloser // nil: nothing is left
	cancel  context.CancelCauseFunc
	guard   *guard // nil: nothing to check
	read    int64
}

var (
	_ pipeline.Reader  = (*reader)(nil)
	_ digest.ReaderNow = (*reader)(nil)
)

func (r *reader) Object() pipeline.Object { return r.object }

func (r *reader) Claims(ctx context.Context) []pipeline.Claim {
	if r.content.Parts == nil {
		return r.content.Claims
	}
	return r.content.Parts(ctx, r.content.Claims)
}

func (r *reader) Close() error {
	var err error
	if r.body != nil {
		err = r.body.Close()
	}
	if r.cancel != nil {
		r.cancel(nil)
	}
	return err
}

// Read fails with ErrChanged if there is less or more to read than the
// version had.
func (r *reader) Read(p []byte) (int, error) {
	if r.body == nil {
		return 0, io.EOF
	}
	n, err := r.body.Read(p)
	return r.check(p, n, err)
}

// ReadNow implements digest.ReaderNow, and fails as Read does.
func (r *reader) ReadNow(p []byte) (int, error) {
	c, ok := r.body.(digest.ReaderNow)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	n, err := c.ReadNow(p)
	if err == digest.ErrWait || errors.Is(err, errors.ErrUnsupported) {
		return n, err
	}
	return r.check(p, n, err)
}

// check returns what a read of the body into p brought.
func (r *reader) check(p []byte, n int, err error) (int, error) {
	r.read += int64(n)
	if r.read > r.object.Size || err == io.EOF && r.read < r.object.Size {
		return n, fmt.Errorf("%w: it had %d bytes when it was opened", pipeline.ErrChanged, r.object.Size)
	}
	if r.guard != nil {
		_, _ = r.guard.verifier.Write(p[:n]) // it never fails
		if err == io.EOF {
			err = cmp.Or(r.guard.check(), err)
		}
	}
	return n, err
}

// guard compares a body that no one else compares with the checksums that the store keeps,
// for what can go wrong on the way.
type guard struct {
	claims   []pipeline.Claim
	verifier *digest.Verifier
}

func newGuard(claims []pipeline.Claim) *guard {
	g := &guard{claims: claims}
	var plain []digest.Claim
	for _, c := range claims {
		plain = append(plain, c.Claim)
	}
	g.verifier, _ = digest.NewVerifier(nil, plain) // it fails on names of algorithms only
	return g
}

// check reports at the end of the body that it was not the right one.
func (g *guard) check() error {
	for i, v := range g.verifier.Verdicts() {
		if v.Outcome == digest.Mismatch {
			return fmt.Errorf("checksum did not match: %s says %s, the content has %s", g.claims[i].Name, v.Claimed, v.Computed)
		}
	}
	return nil
}
