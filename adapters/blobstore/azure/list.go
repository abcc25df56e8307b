package azure

import (
	"context"
	"errors"
	"iter"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

// pageBlobs is how many blobs Azure lists at most in one answer.
const pageBlobs = 5000

func (b *bucket) List(ctx context.Context, l driver.Listing) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		for items, err := range b.pages(ctx, l) {
			if err != nil {
				yield(driver.Entry{}, err)
				return
			}
			for _, item := range items {
				if item.Name == nil || item.Properties == nil || item.Properties.ContentLength == nil {
					yield(driver.Entry{}, errors.New("the store lists a blob without its name or length"))
					return
				}
				if l.Skip != nil && l.Skip(*item.Name) {
					continue
				}
				e := entryOf(item)
				if !yield(e, folderMark(e.Metadata)) {
					return
				}
			}
		}
	}
}

// pages yields the answers of a listing. An error is the last one.
func (b *bucket) pages(ctx context.Context, l driver.Listing) iter.Seq2[[]*container.BlobItem, error] {
	options := container.ListBlobsFlatOptions{Prefix: &l.Prefix, Include: container.ListBlobsInclude{Metadata: true}}
	if l.Range.After != "" { // services of before 2026, such as Azurite, list from the beginning
		options.StartFrom = &l.Range.After
	}
	if l.Want > 0 && l.Want < pageBlobs {
		want := int32(l.Want)
		options.MaxResults = &want
	}
	return func(yield func([]*container.BlobItem, error) bool) {
		for {
			page, err := b.client.NewListBlobsFlatPager(&options).NextPage(ctx)
			if err != nil {
				yield(nil, b.translate(err))
				return
			}
			if !yield(page.Segment.BlobItems, nil) || page.NextMarker == nil || *page.NextMarker == "" {
				return
			}
			options.Marker, options.MaxResults = page.NextMarker, nil
		}
	}
}

// entryOf reads an entry of a listing.
func entryOf(item *container.BlobItem) driver.Entry {
	p := item.Properties
	e := driver.Entry{Key: *item.Name, State: driver.State{ETag: etagOf(p.ETag), Size: *p.ContentLength, Metadata: metadataOf(item.Metadata)}}
	e.Claims = claimsOf(e.Metadata, p.ContentMD5)
	if p.LastModified != nil {
		e.Modified = *p.LastModified
	}
	if tier := p.AccessTier; tier != nil {
		e.Archived = *tier == blob.AccessTierArchive
		if *tier != blob.AccessTierHot {
			e.Class = string(*tier)
		}
	}
	return e
}
