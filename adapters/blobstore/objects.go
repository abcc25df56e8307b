package blobstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// objects is a bucket that keeps metadata with its objects.
type objects struct {
	bucket *blob.Bucket
	locks  keyLocks
}

var (
	_ contents = (*objects)(nil)
	_ sidecars = (*objects)(nil)
)

func (b *objects) check(key string) error {
	switch {
	case key == "":
		return pipeline.Permanent(errors.New("an object's key cannot be empty"))
	case !utf8.ValidString(key):
		return pipeline.Permanent(fmt.Errorf("the key %q is not UTF-8", key))
	case strings.HasSuffix(key, "/"):
		return fmt.Errorf("it stands for a folder: %w", pipeline.ErrFiltered)
	}
	return nil
}

func (b *objects) stat(ctx context.Context, key string) (state, error) {
	attrs, err := b.bucket.Attributes(ctx, key)
	if err != nil {
		return state{}, translate(err)
	}
	return state{etag: trimETag(attrs.ETag), size: attrs.Size}, (&sidecar{metadata: attrs.Metadata}).isOwnRecord(key)
}

// open asks for the state first, as a gocloud reader knows no ETag, and then
// makes sure that the content has its length and time.
func (b *objects) open(ctx context.Context, o pipeline.Object) (content, state, error) {
	key := o.Key
	attrs, err := b.bucket.Attributes(ctx, key)
	if err != nil {
		return nil, state{}, translate(err)
	}
	if err := (&sidecar{metadata: attrs.Metadata}).isOwnRecord(key); err != nil {
		return nil, state{}, err
	}
	r, err := b.bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, state{}, translate(err)
	}
	if r.Size() != attrs.Size || !r.ModTime().Equal(attrs.ModTime) {
		_ = r.Close() // nothing was read
		return nil, state{}, pipeline.ErrChanged
	}
	return objectContent{r, attrs}, state{etag: trimETag(attrs.ETag), size: attrs.Size}, nil
}

// objectContent is the content of an object, and what its store says of it.
type objectContent struct {
	*blob.Reader
	attrs *blob.Attributes
}

// claims implements claimant. An MD5 is what Azure has as Content-MD5, Google as
// md5Hash.
func (c objectContent) claims(context.Context) []pipeline.Claim {
	all := metadataClaims(c.attrs.Metadata)
	if c.attrs.MD5 != nil {
		all = append(all, pipeline.Claim{
			Name:  "content-md5",
			Claim: digest.Claim{Algorithm: "md5", Value: hex.EncodeToString(c.attrs.MD5)},
		})
	}
	return all
}

func (b *objects) list(ctx context.Context, skip func(string) bool, onlyKeys bool) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		for entries := b.bucket.List(nil); ; {
			entry, err := entries.Next(ctx)
			if err == nil {
				err = ctx.Err() // not every driver looks at it
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(pipeline.Object{}, translate(err))
				return
			}
			if skip(entry.Key) {
				continue
			}
			o := pipeline.Object{Key: entry.Key}
			if err = b.check(o.Key); err == nil && !onlyKeys {
				var s state
				s, err = b.stat(ctx, o.Key)
				o.ETag, o.Size = s.etag, s.size
			}
			if errors.Is(err, pipeline.ErrNotFound) || errors.Is(err, pipeline.ErrOwnRecord) {
				continue // deleted since the page was made, or by another layout
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

func (b *objects) read(ctx context.Context, key string) (*sidecar, error) {
	attrs, err := b.bucket.Attributes(ctx, key)
	if err != nil {
		return nil, translate(err)
	}
	r, err := b.bucket.NewRangeReader(ctx, key, 0, sidecarLimit, nil)
	if err != nil {
		return nil, translate(err)
	}
	line, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, translate(err)
	}
	return &sidecar{line: string(line), metadata: attrs.Metadata}, nil
}

func (b *objects) write(ctx context.Context, key string, s, old *sidecar) error {
	err := b.bucket.WriteAll(ctx, key, []byte(s.line), &blob.WriterOptions{
		ContentType: "text/plain; charset=utf-8",
		Metadata:    s.metadata,
		IfNotExist:  old == nil,
	})
	// Only this is superseded: "not found" would be the bucket itself.
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return fmt.Errorf("%w (%w)", pipeline.ErrChanged, err)
	}
	return err
}

func (b *objects) remove(ctx context.Context, key string, old *sidecar) error {
	if old == nil {
		return nil
	}
	return translate(b.bucket.Delete(ctx, key))
}

func (b *objects) reserved(key string) bool { return isCheckpoint(key) }

func (b *objects) create(context.Context, string, *sidecar) error { return pipeline.ErrChanged }

// lock excludes this process only.
func (b *objects) lock(ctx context.Context, key string) (func(), error) {
	return b.locks.lock(ctx, key)
}

func (b *objects) local() bool { return false }
