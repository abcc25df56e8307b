package azure

import (
	"context"
	"errors"
	"iter"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

func (b *bucket) List(ctx context.Context, l driver.Listing) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		options := &container.ListBlobsFlatOptions{Prefix: &l.Prefix, Include: container.ListBlobsInclude{Metadata: true}}
		for pages := b.client.NewListBlobsFlatPager(options); pages.More(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(driver.Entry{}, b.translate(err))
				return
			}
			for _, blob := range page.Segment.BlobItems {
				if blob.Name == nil || blob.Properties == nil || blob.Properties.ContentLength == nil {
					yield(driver.Entry{}, errors.New("the store lists a blob without its name or length"))
					return
				}
				if l.Skip != nil && l.Skip(*blob.Name) {
					continue
				}
				e := driver.Entry{Key: *blob.Name, State: driver.State{
					ETag: etagOf(blob.Properties.ETag), Size: *blob.Properties.ContentLength, Metadata: metadataOf(blob.Metadata),
				}}
				if at := blob.Properties.LastModified; at != nil {
					e.Modified = *at
				}
				if !yield(e, folderMark(e.Metadata)) {
					return
				}
			}
		}
	}
}
