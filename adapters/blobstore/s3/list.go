package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// pageKeys is how many keys S3 lists at most in one answer.
const pageKeys = 1000

func (b *bucket) List(ctx context.Context, l driver.Listing) iter.Seq2[driver.Entry, error] {
	if l.Versions {
		return b.versions(ctx, l)
	}
	after := listable(l.Range.After)
	return func(yield func(driver.Entry, error) bool) {
		for page, err := range b.pages(ctx, l, after) {
			if err != nil {
				yield(driver.Entry{}, err)
				return
			}
			for i := range page.Contents {
				e, err := entryOf(&page.Contents[i], page.EncodingType)
				if err == nil && (after < l.Range.After && e.Key <= l.Range.After || l.Skip != nil && l.Skip(e.Key)) {
					continue
				}
				if err == nil && page.EncodingType == "" && strings.Contains(e.Key, "\uFFFD") {
					err = b.isNamed(ctx, e.Key)
				}
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

// listable returns how far a position has only what XML can represent: some stores repeat it in their answer as it is.
func listable(at string) string {
	for i, r := range at {
		if r < ' ' || r == utf8.RuneError || r >= 0xfffe && r <= 0xffff {
			return at[:i]
		}
	}
	return at
}

// isNamed explains that a key in an answer without encoding is not that of an object: XML has U+FFFD for what it cannot
// represent.
func (b *bucket) isNamed(ctx context.Context, key string) error {
	_, err := b.Stat(ctx, key)
	if errors.Is(err, pipeline.ErrNotFound) {
		return pipeline.Permanent(fmt.Errorf("the store lists the object as %q, which is not its key, as XML cannot represent that: %w", key, err))
	}
	return err
}

// pages yields the answers of a listing after a position. An error is the last one.
func (b *bucket) pages(ctx context.Context, l driver.Listing, after string) iter.Seq2[*s3.ListObjectsV2Output, error] {
	in := &s3.ListObjectsV2Input{
		Bucket: &b.name,
		Prefix: &l.Prefix,
		// XML cannot represent some control characters.
		EncodingType: types.EncodingTypeUrl,
		RequestPayer: b.payer(),
	}
	if after != "" {
		in.StartAfter = &after
	}
	if l.Want > 0 && l.Want < pageKeys {
		in.MaxKeys = aws.Int32(int32(l.Want))
	}
	if b.onAWS && !l.KeysOnly { // other stores may not know the header
		in.OptionalObjectAttributes = []types.OptionalObjectAttributes{types.OptionalObjectAttributesRestoreStatus}
	}
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		for {
			page, err := b.client.ListObjectsV2(ctx, in)
			if err == nil && isForeign(page) {
				err = errors.New(notS3)
			}
			if err != nil {
				yield(nil, b.translate(err, "s3:ListBucket"))
				return
			}
			if !yield(page, nil) || !aws.ToBool(page.IsTruncated) {
				return
			}
			next := aws.ToString(page.NextContinuationToken)
			if next == "" || next == aws.ToString(in.ContinuationToken) {
				yield(nil, errors.New("the store says that its listing has more pages, but not where the next one begins"))
				return
			}
			in.ContinuationToken, in.MaxKeys = &next, nil
		}
	}
}

// isForeign reports whether an answer has nothing that a listing has, as a page of HTML.
func isForeign(page *s3.ListObjectsV2Output) bool {
	return page.Name == nil && page.KeyCount == nil && page.IsTruncated == nil && len(page.Contents) == 0
}

// entryOf reads an entry of a listing.
func entryOf(listed *types.Object, encoding types.EncodingType) (driver.Entry, error) {
	e := driver.Entry{Key: aws.ToString(listed.Key), State: driver.State{
		ETag: driver.TrimETag(aws.ToString(listed.ETag)), Size: aws.ToInt64(listed.Size),
	}, Modified: aws.ToTime(listed.LastModified)}
	switch listed.StorageClass {
	case types.ObjectStorageClassStandard:
	case types.ObjectStorageClassGlacier, types.ObjectStorageClassDeepArchive:
		e.Class, e.Archived = string(listed.StorageClass), !isRestored(listed.RestoreStatus)
	default:
		e.Class = string(listed.StorageClass)
	}
	if encoding != types.EncodingTypeUrl {
		return e, nil
	}
	key, err := url.QueryUnescape(e.Key)
	if err != nil {
		return e, fmt.Errorf("the store lists a key that cannot be decoded: %w", err)
	}
	e.Key = key
	return e, nil
}

// isRestored reports whether there is a copy of an archived object that can be read.
func isRestored(s *types.RestoreStatus) bool {
	return s != nil && !aws.ToBool(s.IsRestoreInProgress) && s.RestoreExpiryDate != nil
}
