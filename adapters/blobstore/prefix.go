package blobstore

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Keys returns the keys that begin with a prefix, those of records included, in
// their lexical order; in a folder it has to end with a slash or be empty. It asks
// for nothing but keys, so that what comes is whatever somebody put there. After an
// error nothing comes, but in a folder, as of [Store.List].
func (s *Store) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range s.contents.keys(ctx, prefix) {
			if err != nil {
				err = fmt.Errorf("list %s: %w", printable(pipeline.Object{Bucket: s.name, Key: key}), err)
			}
			if !yield(key, err) {
				return
			}
		}
	}
}

func (b *s3Bucket) keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{
			Bucket:       &b.name,
			Prefix:       &prefix,
			EncodingType: types.EncodingTypeUrl,
			RequestPayer: b.payer(),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(prefix, b.translate(err, "s3:ListBucket"))
				return
			}
			for _, entry := range page.Contents {
				o, err := listedObject(entry, page.EncodingType)
				if err == nil && isFolder(o.Key, o.Size) != nil {
					continue
				}
				if !yield(o.Key, err) {
					return
				}
			}
		}
	}
}

func (b *objects) keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for entries := b.bucket.List(&blob.ListOptions{Prefix: prefix}); ; {
			entry, err := entries.Next(ctx)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(prefix, translate(err))
				return
			}
			if !strings.HasSuffix(entry.Key, "/") && !yield(entry.Key, nil) {
				return
			}
		}
	}
}

func (f *folder) keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		f.walk(ctx, prefix, func(string) bool { return false }, f.entry, func(o pipeline.Object, err error) bool {
			return yield(o.Key, err)
		})
	}
}
