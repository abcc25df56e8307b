package blobstore

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Stat implements pipeline.Source.
func (s *Store) Stat(ctx context.Context, o pipeline.Object) (pipeline.Object, error) {
	found, _, err := s.stat(ctx, o)
	return found, err
}

func (s *Store) stat(ctx context.Context, o pipeline.Object) (pipeline.Object, time.Time, error) {
	if s.folder != nil {
		if err := s.folder.check(o.Key); err != nil {
			return o, time.Time{}, fmt.Errorf("%s: %w", o, err)
		}
	}
	attrs, err := s.bucket.Attributes(ctx, o.Key)
	if err != nil {
		return o, time.Time{}, fmt.Errorf("look at %s: %w", o, translate(err))
	}
	o.ETag, o.Size = trimETag(attrs.ETag), attrs.Size
	return o, attrs.ModTime, nil
}

// Open implements pipeline.Source. The version is looked at before the content
// is opened, and what is opened must be the same; its reader fails with
// ErrChanged when the content does not have the length that it began with. That the
// object did not change while it was read, the caller asks Stat.
func (s *Store) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	found, modified, err := s.stat(ctx, o)
	if err != nil {
		return nil, err
	}
	if o.ETag != "" && o.ETag != found.ETag {
		return nil, fmt.Errorf("open %s: %w: it has ETag %s, the event said %s", o, pipeline.ErrChanged, found.ETag, o.ETag)
	}
	r, err := s.bucket.NewReader(ctx, o.Key, nil)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o, translate(err))
	}
	if r.Size() != found.Size || !r.ModTime().Equal(modified) {
		r.Close()
		return nil, fmt.Errorf("open %s: %w", o, pipeline.ErrChanged)
	}
	return &reader{Reader: r, object: found}, nil
}

// reader is the content of one object.
type reader struct {
	*blob.Reader
	object pipeline.Object
	read   int64
}

// Object implements pipeline.Reader.
func (r *reader) Object() pipeline.Object { return r.object }

// Read fails with ErrChanged if there is less or more to read than the
// version had.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.read += int64(n)
	switch {
	case r.read > r.object.Size, err == io.EOF && r.read < r.object.Size:
		return n, fmt.Errorf("read %s: %w: it had %d bytes when it was opened", r.object, pipeline.ErrChanged, r.object.Size)
	case err != nil && err != io.EOF:
		return n, fmt.Errorf("read %s: %w", r.object, translate(err))
	}
	return n, err
}

// trimETag returns an ETag as events carry it, without quotes.
func trimETag(tag string) string { return strings.Trim(tag, `"`) }
