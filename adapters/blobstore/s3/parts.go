package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// withParts implements Content.Parts.
func (v *version) withParts(ctx context.Context, claims []pipeline.Claim) []pipeline.Claim {
	all := slices.Clone(claims)
	layouts := make(map[int]layout)
	for i := range all {
		n := partsOf(all[i].Value)
		if n < 2 {
			// An ETag of one part is not compared: some stores append "-1" to an ETag that is
			// not an MD5.
			if n == 1 && strings.HasPrefix(all[i].Name, "x-amz-checksum-") {
				all[i].Parts = []int64{v.size}
			}
			continue
		}
		parts, ok := layouts[n]
		if !ok {
			parts = v.parts(ctx, n)
			layouts[n] = parts
		}
		all[i].Parts = parts.sizes
		if parts.guessed {
			all[i].Confirm = func(ctx context.Context) ([]int64, error) { return v.partSizes(ctx, n) }
		}
	}
	return all
}

// partsOf returns the number of parts that a claim is of; 0 if it is not of parts.
func partsOf(value string) int {
	_, count, ok := strings.Cut(value, "-")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 || n > partLimit {
		return 0
	}
	return n
}

// partLimit is the largest number of parts that an object can have.
const partLimit = 10_000

// layout is the sizes of parts; nil if they are not known.
type layout struct {
	sizes   []int64 // bytes
	guessed bool    // from the size of the first part
}

// parts returns the sizes of an object's n parts. Most uploaders make all parts the same size
// except the last, so that the size of the first is enough; otherwise S3 may have a list.
func (v *version) parts(ctx context.Context, n int) layout {
	first, count, err := v.part(ctx, 1)
	if err == nil && count == n {
		if sizes := evenParts(v.size, first, n); sizes != nil {
			return layout{sizes, true}
		}
	}
	if err == nil {
		var sizes []int64
		if sizes, err = v.listedParts(ctx, n); err == nil {
			return layout{sizes, false}
		}
	}
	v.bucket.log.DebugContext(ctx, "sizes of parts are not known", "bucket", v.bucket.name, "key", v.key, "parts", n, "err", err)
	return layout{}
}

// evenParts returns the sizes of n parts that have one size, except the last, which may be
// smaller; nil if content of this size has no such parts.
func evenParts(size, first int64, n int) []int64 {
	if first <= 0 || (size-1)/first+1 != int64(n) {
		return nil
	}
	sizes := slices.Repeat([]int64{first}, n)
	sizes[n-1] = size - first*int64(n-1)
	return sizes
}

// partSizes returns the sizes of an object's n parts as S3 has them. It takes a request for
// each part if S3 keeps no list.
func (v *version) partSizes(ctx context.Context, n int) ([]int64, error) {
	sizes, err := v.listedParts(ctx, n)
	if err == nil {
		return sizes, nil
	}
	sizes = make([]int64, n)
	for i := range sizes {
		if sizes[i], _, err = v.part(ctx, int32(i+1)); err != nil {
			return nil, v.bucket.translate(err, "s3:GetObject")
		}
	}
	return sizes, nil
}

// part returns the size of one part, which are numbered from 1, and how many parts there are; 0
// if S3 does not say.
func (v *version) part(ctx context.Context, number int32) (size int64, count int, err error) {
	in := v.bucket.headInput(v.key, v.customerKey)
	in.PartNumber = &number
	if v.id != "" {
		in.VersionId = &v.id
	}
	if driver.VersionOf(v.id) == "" {
		in.IfMatch = aws.String(`"` + v.etag + `"`)
	}
	out, err := v.bucket.client.HeadObject(ctx, in)
	if err != nil {
		return 0, 0, err
	}
	if driver.TrimETag(aws.ToString(out.ETag)) != v.etag {
		return 0, 0, fmt.Errorf("%w: it was replaced while it was read", pipeline.ErrChanged)
	}
	return aws.ToInt64(out.ContentLength), int(aws.ToInt32(out.PartsCount)), nil
}

var errNoList = errors.New("the store keeps no list of the parts")

// listedParts returns the sizes of n parts from the list that S3 keeps for objects that were
// uploaded with checksums.
func (v *version) listedParts(ctx context.Context, n int) ([]int64, error) {
	in := &s3.GetObjectAttributesInput{
		Bucket:               &v.bucket.name,
		Key:                  &v.key,
		ObjectAttributes:     []types.ObjectAttributes{types.ObjectAttributesEtag, types.ObjectAttributesObjectParts},
		RequestPayer:         v.bucket.payer(),
		SSECustomerAlgorithm: v.customerKey.algorithm,
		SSECustomerKey:       v.customerKey.key,
		SSECustomerKeyMD5:    v.customerKey.sum,
	}
	if v.id != "" {
		in.VersionId = &v.id
	}
	var sizes []int64
	for len(sizes) < n {
		out, err := v.bucket.client.GetObjectAttributes(ctx, in)
		switch {
		case err != nil:
			return nil, err
		case driver.TrimETag(aws.ToString(out.ETag)) != v.etag:
			return nil, fmt.Errorf("%w: it was replaced while it was read", pipeline.ErrChanged)
		case out.ObjectParts == nil || len(out.ObjectParts.Parts) == 0:
			return nil, errNoList
		}
		for _, p := range out.ObjectParts.Parts {
			sizes = append(sizes, aws.ToInt64(p.Size))
		}
		if !aws.ToBool(out.ObjectParts.IsTruncated) {
			break
		}
		in.PartNumberMarker = out.ObjectParts.NextPartNumberMarker
	}
	if len(sizes) != n {
		return nil, fmt.Errorf("the store lists %d parts of %d", len(sizes), n)
	}
	return sizes, nil
}
