package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Stat implements pipeline.Source.
func (s *Store) Stat(ctx context.Context, o pipeline.Object) (pipeline.Object, error) {
	err := s.contents.check(o.Key)
	var now state
	if err == nil {
		now, err = s.contents.stat(ctx, o.Key)
	}
	if err != nil {
		return o, fmt.Errorf("look at %s: %w", printable(o), legible(err))
	}
	return now.of(o), nil
}

// Open implements pipeline.Source. What is opened must have the ETag that o
// names, if it names one. The reader fails with ErrChanged when the content does
// not have the length that it began with. That the object did not change otherwise
// while it was read, the caller asks Stat.
func (s *Store) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	err := s.contents.check(o.Key)
	var (
		c   content
		now state
	)
	if err == nil {
		c, now, err = s.contents.open(ctx, o)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", printable(o), legible(err))
	}
	if !now.is(o) {
		_ = c.Close() // nothing was read
		return nil, fmt.Errorf("open %s: %w: it has ETag %s, not %s", printable(o), pipeline.ErrChanged, now.etag, o.ETag)
	}
	return &reader{content: c, object: now.of(o)}, nil
}

// is reports whether the state is the one that o names.
func (s state) is(o pipeline.Object) bool {
	if id := versionOf(o.VersionID); id != "" && s.versionID != "" {
		return id == s.versionID
	}
	return o.ETag == "" || o.ETag == s.etag
}

// of returns the object in this state.
func (s state) of(o pipeline.Object) pipeline.Object {
	o.ETag, o.Size, o.VersionID = s.etag, s.size, s.versionID
	return o
}

// versionOf returns the id of a version, empty for the one that S3 calls "null":
// that is overwritten in place, so that only its ETag tells it from the one before.
func versionOf(id string) string {
	if id == "null" {
		return ""
	}
	return id
}

// content is the open content of an object.
type content io.ReadCloser

// claimant is content of which its store says what checksums it has. See
// pipeline.Reader.
type claimant interface {
	claims(ctx context.Context) []pipeline.Claim
}

// reader is the content of one object. It has no WriteTo: gocloud's would go
// past the check of the length.
type reader struct {
	content content
	object  pipeline.Object
	read    int64
}

// Object implements pipeline.Reader.
func (r *reader) Object() pipeline.Object { return r.object }

// Claims implements pipeline.Reader.
func (r *reader) Claims(ctx context.Context) []pipeline.Claim {
	if c, ok := r.content.(claimant); ok {
		return c.claims(ctx)
	}
	return nil
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.content.Close() }

// Read fails with ErrChanged if there is less or more to read than the
// version had.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.content.Read(p)
	return r.check(n, err)
}

// ReadNow implements digest.ReaderNow, and fails as Read does.
func (r *reader) ReadNow(p []byte) (int, error) {
	c, ok := r.content.(digest.ReaderNow)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	n, err := c.ReadNow(p)
	if err == digest.ErrWait || errors.Is(err, errors.ErrUnsupported) {
		return n, err
	}
	return r.check(n, err)
}

// check returns what a read of the content brought.
func (r *reader) check(n int, err error) (int, error) {
	r.read += int64(n)
	switch {
	case r.read > r.object.Size, err == io.EOF && r.read < r.object.Size:
		return n, fmt.Errorf("%w: it had %d bytes when it was opened", pipeline.ErrChanged, r.object.Size)
	case err != nil && err != io.EOF:
		return n, translate(err)
	}
	return n, err
}

// trimETag returns an ETag as events carry it, without quotes.
func trimETag(tag string) string { return strings.Trim(tag, `"`) }
