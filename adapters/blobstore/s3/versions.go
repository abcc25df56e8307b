package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

// versions implements Listing.Versions. A listing of versions begins after all versions of a key, so that those of the
// first key come from a listing of the keys that begin with it.
func (b *bucket) versions(ctx context.Context, l driver.Listing) iter.Seq2[driver.Entry, error] {
	from := listable(l.Range.After)
	first := from != "" && from == l.Range.After
	return func(yield func(driver.Entry, error) bool) {
		seen := false // anything, in any range
		list := func(prefix, after string, wanted func(key string) (is, end bool)) (goOn bool) {
			for page, err := range b.versionPages(ctx, l, prefix, after) {
				if err != nil {
					yield(driver.Entry{}, err)
					return false
				}
				seen = seen || len(page.Versions)+len(page.DeleteMarkers) > 0
				for i := range page.Versions {
					e, err := entryOfVersion(&page.Versions[i], page.EncodingType)
					if err == nil && page.EncodingType == "" && strings.Contains(e.Key, "\uFFFD") {
						err = b.isNamed(ctx, e.Key)
					}
					is, end := wanted(e.Key)
					switch {
					case err == nil && end:
						return true
					case err == nil && (!is || l.Skip != nil && l.Skip(e.Key)):
					case !yield(e, err):
						return false
					}
				}
			}
			return true
		}
		if first && !list(from, "", func(key string) (bool, bool) { return key == from, key != from }) {
			return
		}
		wanted := func(key string) (bool, bool) { return key > l.Range.After || !first && key == l.Range.After, false }
		if list(l.Prefix, from, wanted) && !seen {
			b.listsVersions(ctx, l, yield)
		}
	}
}

// listsVersions yields an error if there are objects where a listing of versions has nothing: some stores answer it
// as if nothing was there.
func (b *bucket) listsVersions(ctx context.Context, l driver.Listing, yield func(driver.Entry, error) bool) {
	l.Versions, l.Want, l.KeysOnly = false, 1, true
	for e, err := range b.List(ctx, l) {
		if err == nil && l.Range.Contains(e.Key) {
			err = errors.New("the store lists objects, and no versions of them: leave out --versions")
		}
		if err != nil {
			yield(driver.Entry{}, err)
		}
		return
	}
}

// versionPages yields the answers of a listing of versions after a key. An error is the last one.
func (b *bucket) versionPages(ctx context.Context, l driver.Listing, prefix, after string) iter.Seq2[*s3.ListObjectVersionsOutput, error] {
	in := &s3.ListObjectVersionsInput{
		Bucket:       &b.name,
		Prefix:       &prefix,
		EncodingType: types.EncodingTypeUrl,
		RequestPayer: b.payer(),
	}
	if after != "" {
		in.KeyMarker = &after
	}
	if b.onAWS {
		in.OptionalObjectAttributes = []types.OptionalObjectAttributes{types.OptionalObjectAttributesRestoreStatus}
	}
	return func(yield func(*s3.ListObjectVersionsOutput, error) bool) {
		for {
			page, err := b.client.ListObjectVersions(ctx, in)
			if err != nil {
				yield(nil, b.translate(err, "s3:ListBucketVersions"))
				return
			}
			if !yield(page, nil) || !aws.ToBool(page.IsTruncated) {
				return
			}
			key, version := nextKey(page), aws.ToString(page.NextVersionIdMarker)
			if key == "" || key == aws.ToString(in.KeyMarker) && version == aws.ToString(in.VersionIdMarker) {
				yield(nil, errors.New("the store says that its listing of versions has more pages, but not where the next one begins"))
				return
			}
			in.KeyMarker, in.VersionIdMarker = &key, page.NextVersionIdMarker
		}
	}
}

// nextKey returns the key where the next page begins. Not every store encodes it as it encodes the keys of the page.
func nextKey(page *s3.ListObjectVersionsOutput) string {
	next := aws.ToString(page.NextKeyMarker)
	if page.EncodingType != types.EncodingTypeUrl {
		return next
	}
	decoded, err := url.QueryUnescape(next)
	if n := len(page.Versions); n > 0 {
		last, _ := url.QueryUnescape(aws.ToString(page.Versions[n-1].Key))
		if next == last {
			return next
		}
	}
	if err != nil {
		return next
	}
	return decoded
}

// entryOfVersion reads an entry of a listing of versions.
func entryOfVersion(listed *types.ObjectVersion, encoding types.EncodingType) (driver.Entry, error) {
	e, err := entryOf(&types.Object{
		Key: listed.Key, ETag: listed.ETag, Size: listed.Size, LastModified: listed.LastModified,
		StorageClass: types.ObjectStorageClass(listed.StorageClass), RestoreStatus: listed.RestoreStatus,
	}, encoding)
	e.VersionID, e.Noncurrent = aws.ToString(listed.VersionId), !aws.ToBool(listed.IsLatest)
	if err == nil && e.VersionID == "" {
		err = fmt.Errorf("the store lists a version of %q without its id", e.Key)
	}
	return e, err
}
