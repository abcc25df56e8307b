// Package memory is the driver for buckets that end with the process: mem://, gocloud's
// memblob. With New it serves any bucket of gocloud that keeps metadata; as gocloud has no
// conditions but "nothing is there", two processes must not write to one such bucket.
package memory

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Driver opens a new, empty bucket for each URL.
var Driver = driver.Driver{
	Scheme:  memblob.Scheme,
	Example: "mem:// (ends with the process)",
	Private: true,
	Open: func(ctx context.Context, u *url.URL, _ driver.Options) (driver.Bucket, error) {
		b, err := (&memblob.URLOpener{}).OpenBucketURL(ctx, u)
		if err != nil {
			return nil, err
		}
		return New(b), nil
	},
}

// bucket is a bucket of gocloud.
type bucket struct {
	driver.Locks
	bucket *blob.Bucket
}

var _ driver.Bucket = (*bucket)(nil)

// New makes a driver's bucket of a bucket that is open already and keeps metadata. Close
// closes it.
func New(b *blob.Bucket) driver.Bucket { return &bucket{bucket: b} }

func (b *bucket) Traits() driver.Traits { return driver.Traits{Name: "memory"} }

func (b *bucket) Close() error { return b.bucket.Close() }

func (b *bucket) Reachable(ctx context.Context) error {
	there, err := b.bucket.IsAccessible(ctx)
	if err == nil && !there {
		err = errors.New("there is no such bucket")
	}
	return err
}

func (b *bucket) Check(key string) error { return driver.FolderMark(key, 0) } // whatever its size

func (b *bucket) Stat(ctx context.Context, key string) (driver.State, error) {
	attrs, err := b.bucket.Attributes(ctx, key)
	if err != nil {
		return driver.State{}, translate(err)
	}
	return stateOf(attrs), nil
}

func stateOf(a *blob.Attributes) driver.State {
	return driver.State{ETag: driver.TrimETag(a.ETag), Size: a.Size, Metadata: a.Metadata}
}

// Open implements driver.Bucket. It asks for the state first, as a reader of gocloud knows
// no ETag, and then makes sure that the content has its length and time.
func (b *bucket) Open(ctx context.Context, o pipeline.Object, offset int64) (driver.Content, error) {
	attrs, err := b.bucket.Attributes(ctx, o.Key)
	if err != nil {
		return driver.Content{}, translate(err)
	}
	c := driver.Content{State: stateOf(attrs), Claims: driver.MetadataClaims(attrs.Metadata)}
	if attrs.MD5 != nil {
		c.Claims = append(c.Claims, pipeline.Claim{
			Name:  "content-md5",
			Claim: digest.Claim{Algorithm: "md5", Value: hex.EncodeToString(attrs.MD5)},
		})
	}
	if offset > c.Size {
		return c, nil
	}
	r, err := b.bucket.NewRangeReader(ctx, o.Key, offset, -1, nil)
	if err != nil {
		return driver.Content{}, translate(err)
	}
	if r.Size() != attrs.Size || !r.ModTime().Equal(attrs.ModTime) {
		_ = r.Close() // nothing was read
		return driver.Content{}, pipeline.ErrChanged
	}
	c.Body = r
	return c, nil
}

func (b *bucket) List(ctx context.Context, l driver.Listing) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		for entries := b.bucket.List(&blob.ListOptions{Prefix: l.Prefix}); ; {
			listed, err := entries.Next(ctx)
			if err == nil {
				err = ctx.Err() // not every driver of gocloud looks at it
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(driver.Entry{}, translate(err))
				return
			}
			if !l.Range.Contains(listed.Key) || l.Skip != nil && l.Skip(listed.Key) {
				continue
			}
			e := driver.Entry{Key: listed.Key, State: driver.State{Size: listed.Size}, Modified: listed.ModTime}
			if err = b.Check(e.Key); err == nil && !l.KeysOnly {
				e.State, err = b.Stat(ctx, e.Key)
			}
			if errors.Is(err, pipeline.ErrNotFound) {
				continue // deleted since the page was made
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Get implements driver.Bucket. It asks for the metadata first, and then makes sure that the
// data is from the same write.
func (b *bucket) Get(ctx context.Context, key string, limit int64) (*driver.Blob, error) {
	for ctx.Err() == nil {
		attrs, err := b.bucket.Attributes(ctx, key)
		if err != nil {
			return nil, translate(err)
		}
		r, err := b.bucket.NewRangeReader(ctx, key, 0, limit, nil)
		if err != nil {
			return nil, translate(err)
		}
		same := r.Size() == attrs.Size && r.ModTime().Equal(attrs.ModTime)
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, translate(err)
		}
		if same {
			return &driver.Blob{Data: data, Metadata: attrs.Metadata}, nil
		}
	}
	return nil, ctx.Err()
}

func (b *bucket) Put(ctx context.Context, key string, data *driver.Blob, c driver.Condition) error {
	if c.Old != nil {
		if err := driver.Unchanged(ctx, b, key, c); err != nil {
			return err
		}
	}
	err := b.bucket.WriteAll(ctx, key, data.Data, &blob.WriterOptions{
		ContentType: data.ContentType,
		Metadata:    data.Metadata,
		IfNotExist:  c.Old == nil && !c.Any,
	})
	// "Not found" would be the bucket itself.
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return fmt.Errorf("%w (%w)", pipeline.ErrChanged, err)
	}
	return err
}

func (b *bucket) Delete(ctx context.Context, key string, c driver.Condition) error {
	if c.Old != nil {
		if err := driver.Unchanged(ctx, b, key, c); err != nil {
			return err
		}
	}
	return translate(b.bucket.Delete(ctx, key))
}

// translate turns the error of a read into one of the pipeline's classes, by code. It is
// not ErrChanged for FailedPrecondition, which gocloud returns for a closed bucket.
func translate(err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, err)
	}
	return err
}
