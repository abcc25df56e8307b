package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/bucketsum/bucketsum/adapters/awsfault"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// Check implements driver.Bucket. A key that ends with a slash may be that of an object: only
// its size tells.
//
// S3 refuses keys with more ".." than other elements before them. Other servers, or proxies in
// front of them, may resolve such a path to another bucket.
func (b *bucket) Check(key string) error {
	depth := 0
	for element := range strings.SplitSeq(key, "/") {
		switch element {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return pipeline.Permanent(fmt.Errorf("no object on S3 has a key like %q, which leads out of the bucket", key))
			}
		default:
			depth++
		}
	}
	return nil
}

// checkVersion explains why no object can have the version id, or the ETag if the request would
// name that; nil if one can. All ids and ETags are of printable ASCII, and headers can carry
// nothing else.
func checkVersion(o pipeline.Object) error {
	switch {
	case !driver.IsPrintable(o.VersionID):
		return pipeline.Permanent(fmt.Errorf("no object has a version id like %q", o.VersionID))
	case driver.VersionOf(o.VersionID) == "" && !driver.IsPrintable(o.ETag):
		return pipeline.Permanent(fmt.Errorf("no object has an ETag like %q", o.ETag))
	}
	return nil
}

func (b *bucket) Stat(ctx context.Context, key string) (driver.State, error) {
	var out *s3.HeadObjectOutput
	err := b.keyed(func(k customerKey) (err error) {
		out, err = b.client.HeadObject(ctx, b.headInput(key, k))
		return err
	})
	if faultOf(err).status == http.StatusNotFound {
		return driver.State{}, b.whatIsGone(ctx, err) // an answer to HEAD does not say
	}
	if faultOf(err).status == http.StatusBadRequest {
		err = b.whatIsBad(ctx, key, err)
	}
	if err != nil {
		return driver.State{}, impossible(b.translate(err, "s3:GetObject"))
	}
	if out.ContentLength == nil {
		return driver.State{}, driver.ErrUnknownLength
	}
	return driver.State{
		ETag: driver.TrimETag(aws.ToString(out.ETag)), Size: *out.ContentLength, VersionID: driver.VersionOf(aws.ToString(out.VersionId)),
		Metadata: driver.UnescapeMetadata(out.Metadata),
	}, nil
}

// headInput is a request for the headers of an object.
func (b *bucket) headInput(key string, k customerKey) *s3.HeadObjectInput {
	return &s3.HeadObjectInput{
		Bucket:               &b.name,
		Key:                  &key,
		RequestPayer:         b.payer(),
		SSECustomerAlgorithm: k.algorithm,
		SSECustomerKey:       k.key,
		SSECustomerKeyMD5:    k.sum,
	}
}

// whatIsBad finds out why a store refuses a HEAD as a bad request: only an answer to GET has a code.
func (b *bucket) whatIsBad(ctx context.Context, key string, err error) error {
	out, why := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer(), Range: aws.String("bytes=0-0")})
	if why == nil {
		_ = out.Body.Close() // it is not read
		return err
	}
	return why
}

// impossible adds to the error of a key that is too long that there is no such object.
func impossible(err error) error {
	if errors.Is(err, syscall.ENAMETOOLONG) {
		return pipeline.Permanent(fmt.Errorf("%w (%w)", err, pipeline.ErrNotFound))
	}
	return err
}

// whatIsGone finds out whether the object or the bucket is gone, when the answer to a request
// is "not found".
func (b *bucket) whatIsGone(ctx context.Context, err error) error {
	_, there := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name})
	switch status := faultOf(there).status; {
	case status == http.StatusNotFound:
		return fmt.Errorf("%s: %w", b.explain(there, fault{code: "NoSuchBucket"}, ""), awsfault.Brief(there))
	case there != nil && (status == 0 || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError && status != http.StatusNotImplemented):
		// A proxy answers "not found" while its store is down, too.
		return fmt.Errorf("is the object gone, or the store down? %w", b.translate(there, "s3:ListBucket"))
	}
	return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, awsfault.Brief(err))
}
