package blobstore

import (
	"cmp"
	"context"
	"errors"
	"iter"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/bucketsum/bucketsum/pipeline"
)

func (b *azureBucket) list(ctx context.Context, skip func(string) bool, _ bool) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		for entry, err := range b.entries(ctx, "") {
			if err != nil {
				yield(pipeline.Object{}, err)
				return
			}
			if skip(entry.key) {
				continue
			}
			o := entry.state.of(pipeline.Object{Key: entry.key})
			err := cmp.Or(b.check(o.Key), azureFolder(o.Key, o.Size, entry.metadata))
			if errors.Is(err, pipeline.ErrOwnRecord) {
				continue
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

func (b *azureBucket) keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for entry, err := range b.entries(ctx, prefix) {
			if err != nil {
				yield(prefix, err)
				return
			}
			if errors.Is(azureFolder(entry.key, entry.state.size, entry.metadata), pipeline.ErrFiltered) {
				continue
			}
			if !yield(entry.key, nil) {
				return
			}
		}
	}
}

// azureEntry is a blob as it is listed.
type azureEntry struct {
	key      string
	state    state
	metadata map[string]string
}

// entries returns what the store lists, in the order of keys, until an error.
func (b *azureBucket) entries(ctx context.Context, prefix string) iter.Seq2[azureEntry, error] {
	return func(yield func(azureEntry, error) bool) {
		options := &container.ListBlobsFlatOptions{Prefix: &prefix, Include: container.ListBlobsInclude{Metadata: true}}
		for pages := b.client.NewListBlobsFlatPager(options); pages.More(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(azureEntry{}, b.translate(err))
				return
			}
			for _, blob := range page.Segment.BlobItems {
				if blob.Name == nil || blob.Properties == nil || blob.Properties.ContentLength == nil {
					yield(azureEntry{}, errors.New("the store lists a blob without its name or length"))
					return
				}
				s := state{etag: azureETag(blob.Properties.ETag), size: *blob.Properties.ContentLength}
				if !yield(azureEntry{*blob.Name, s, azureMetadata(blob.Metadata)}, nil) {
					return
				}
			}
		}
	}
}
