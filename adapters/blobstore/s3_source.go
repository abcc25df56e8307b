package blobstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/pipeline"
)

// s3KeyLimit is the length of the longest key, in bytes.
const s3KeyLimit = 1024

// check implements contents. Whether a key that ends with a slash stands for a
// folder, only its size tells.
func (b *s3Bucket) check(key string) error {
	switch {
	case key == "":
		return pipeline.Permanent(errors.New("an object's key cannot be empty"))
	case !utf8.ValidString(key):
		return pipeline.Permanent(fmt.Errorf("the key %q is not UTF-8", key))
	case len(key) > s3KeyLimit:
		return pipeline.Permanent(fmt.Errorf("the key has %d bytes; S3 has none of more than %d", len(key), s3KeyLimit))
	}
	return nil
}

// checkVersion explains why no object can have the version id, or the ETag if that
// is what it would be asked for by; nil if one can. No store has others than of
// printable ASCII, and no header could carry them.
func checkVersion(o pipeline.Object) error {
	switch {
	case !isPrintable(o.VersionID):
		return pipeline.Permanent(fmt.Errorf("no object has a version id like %q", o.VersionID))
	case versionOf(o.VersionID) == "" && !isPrintable(o.ETag):
		return pipeline.Permanent(fmt.Errorf("no object has an ETag like %q", o.ETag))
	}
	return nil
}

// isPrintable reports whether a string is of printable ASCII only.
func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// isFolder returns ErrFiltered for the empty object that consoles and tools put
// where they want a folder. Any other empty object is summed, and so is one whose
// key ends with a slash but that has content.
func isFolder(key string, size int64) error {
	if size == 0 && strings.HasSuffix(key, "/") {
		return fmt.Errorf("it stands for a folder: %w", pipeline.ErrFiltered)
	}
	return nil
}

func (b *s3Bucket) stat(ctx context.Context, key string) (state, error) {
	var out *s3.HeadObjectOutput
	err := b.keyed(func(k customerKey) (err error) {
		out, err = b.client.HeadObject(ctx, &s3.HeadObjectInput{
			Bucket:               &b.name,
			Key:                  &key,
			RequestPayer:         b.payer(),
			SSECustomerAlgorithm: k.algorithm,
			SSECustomerKey:       k.key,
			SSECustomerKeyMD5:    k.sum,
		})
		return err
	})
	if s3FaultOf(err).status == http.StatusNotFound {
		return state{}, b.whatIsGone(ctx, err) // an answer to HEAD does not say
	}
	if err != nil {
		return state{}, b.translate(err, "s3:GetObject")
	}
	if out.ContentLength == nil {
		return state{}, errUnknownLength
	}
	s := state{trimETag(aws.ToString(out.ETag)), *out.ContentLength, versionOf(aws.ToString(out.VersionId))}
	if err := (&sidecar{metadata: unescapeMetadata(out.Metadata)}).isOwnRecord(key); err != nil {
		return s, err
	}
	return s, isFolder(key, s.size)
}

// whatIsGone finds out whether it is the object or the bucket, when the answer to
// a request is that something is not found.
func (b *s3Bucket) whatIsGone(ctx context.Context, err error) error {
	if _, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name}); s3FaultOf(err).status == http.StatusNotFound {
		return fmt.Errorf("%s: %w", b.explain(err, s3Fault{code: "NoSuchBucket"}, ""), err)
	}
	return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, err)
}

var errUnknownLength = errors.New("the store does not say how long the object is")

func (b *s3Bucket) open(ctx context.Context, o pipeline.Object) (content, state, error) {
	if err := isFolder(o.Key, o.Size); err != nil {
		return nil, state{}, err
	}
	if err := checkVersion(o); err != nil {
		return nil, state{}, err
	}
	c := &s3Content{s3: b, ctx: ctx, key: o.Key, versionID: o.VersionID}
	if versionOf(o.VersionID) == "" {
		c.etag = o.ETag
	}
	err := b.keyed(func(k customerKey) error {
		c.customerKey = k
		return c.get()
	})
	if err == nil {
		if err = isFolder(o.Key, c.size); err != nil {
			c.drop()
			return nil, state{}, err
		}
		return newRanges(c), state{c.etag, c.size, versionOf(c.versionID)}, nil
	}
	if f := s3FaultOf(err); f.code == "InvalidArgument" && o.VersionID != "" {
		return nil, state{}, pipeline.Permanent(fmt.Errorf("the store has no versions with ids like %q: %w", o.VersionID, err))
	}
	return nil, state{}, b.translate(err, "s3:GetObject, s3:GetObjectVersion")
}

func (b *s3Bucket) list(ctx context.Context, skip func(string) bool, _ bool) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{
			Bucket: &b.name,
			// XML has no way to write some control characters.
			EncodingType: types.EncodingTypeUrl,
			RequestPayer: b.payer(),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(pipeline.Object{}, b.translate(err, "s3:ListBucket"))
				return
			}
			for _, entry := range page.Contents {
				o, err := listedObject(entry, page.EncodingType)
				if err == nil && skip(o.Key) {
					continue
				}
				if err == nil {
					err = b.check(o.Key)
				}
				if err == nil {
					err = isFolder(o.Key, o.Size)
				}
				if !yield(o, err) {
					return
				}
			}
		}
	}
}

// listedObject returns an entry of a listing as an object.
func listedObject(entry types.Object, encoding types.EncodingType) (pipeline.Object, error) {
	o := pipeline.Object{
		Key:  aws.ToString(entry.Key),
		ETag: trimETag(aws.ToString(entry.ETag)),
		Size: aws.ToInt64(entry.Size),
	}
	if encoding != types.EncodingTypeUrl {
		return o, nil
	}
	key, err := url.QueryUnescape(o.Key)
	if err != nil {
		return o, fmt.Errorf("the store lists a key that cannot be decoded: %w", err)
	}
	o.Key = key
	return o, nil
}
