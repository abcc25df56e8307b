package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// rangeBytes is the length of a range, unless the parts of the object suggest another.
const rangeBytes = 8 << 20

// reads names the permissions that reading an object takes.
const reads = "s3:GetObject, s3:GetObjectVersion"

// version is one version of an object, which its id identifies or, where there are no versions,
// its ETag. The first answer sets what the event did not tell.
type version struct {
	bucket      *bucket
	key         string
	id          string
	etag        string // without quotes
	size        int64
	customerKey customerKey
}

// Open implements driver.Bucket. For a whole object it takes one request. For a part it asks
// for the headers first: an answer with a part does not always have the length of the object,
// nor its checksums.
func (b *bucket) Open(ctx context.Context, o pipeline.Object, offset int64) (driver.Content, error) {
	if err := driver.FolderMark(o.Key, o.Size); err != nil {
		return driver.Content{}, err
	}
	if err := checkVersion(o); err != nil {
		return driver.Content{}, err
	}
	v := &version{bucket: b, key: o.Key, id: o.VersionID}
	if driver.VersionOf(o.VersionID) == "" {
		v.etag = o.ETag
	}
	var c driver.Content
	err := b.keyed(func(k customerKey) (err error) {
		v.customerKey = k
		var out *s3.GetObjectOutput
		if offset > 0 {
			out, err = v.head(ctx)
		} else {
			c.Body, out, err = v.get(ctx, 0, -1)
		}
		if err != nil {
			return err
		}
		if err = v.begin(out, &c); err != nil && c.Body != nil {
			_ = c.Body.Close() // nothing was read
		}
		return err
	})
	if err == nil && offset > 0 && offset < v.size && c.Is(o) {
		c.Body, err = v.rangeOf(ctx, offset, v.size)
	}
	if f := faultOf(err); f.code == "InvalidArgument" && o.VersionID != "" {
		return c, pipeline.Permanent(fmt.Errorf("the store has no versions with ids like %q: %w", o.VersionID, err))
	}
	return c, impossible(b.unread(ctx, err))
}

// unread is translate for the error of a reading.
func (b *bucket) unread(ctx context.Context, err error) error {
	if faultOf(err).nothing() {
		return b.whatIsGone(ctx, err)
	}
	return b.translate(err, reads)
}

// begin takes everything about the version from the first answer.
func (v *version) begin(out *s3.GetObjectOutput, c *driver.Content) error {
	if out.ContentLength == nil {
		return driver.ErrUnknownLength
	}
	if out.ETag == nil {
		return errors.New(notS3) // as a page of HTML
	}
	v.etag, v.size = driver.TrimETag(aws.ToString(out.ETag)), *out.ContentLength
	if id := aws.ToString(out.VersionId); id != "" || v.id != "" {
		v.id = id // if it is not the one that was asked for, the store compares the objects
	}
	c.State = driver.State{ETag: v.etag, Size: v.size, VersionID: driver.VersionOf(v.id), Metadata: driver.UnescapeMetadata(out.Metadata)}
	all := v.bucket.claimsOf(out)
	c.Claims, c.Guard, c.Parts = withoutCostly(all), guards(all), v.withParts
	c.Range, c.RangeBytes = v.rangeOf, rangeLength(v.etag, v.size)
	return nil
}

// rangeOf asks for a range of the version.
func (v *version) rangeOf(ctx context.Context, first, end int64) (io.ReadCloser, error) {
	length := int64(-1)
	if end < v.size {
		length = end - first
	}
	body, out, err := v.get(ctx, first, length)
	if err != nil {
		return nil, v.bucket.unread(ctx, err)
	}
	if err := v.check(out, first, end); err != nil {
		_ = body.Close() // nothing was read
		return nil, err
	}
	return body, nil
}

// check makes sure that an answer is the range that was asked for.
func (v *version) check(out *s3.GetObjectOutput, first, end int64) error {
	want := ""
	if first > 0 || end < v.size {
		want = fmt.Sprintf("bytes %d-%d/%d", first, end-1, v.size)
	}
	switch length := aws.ToInt64(out.ContentLength); {
	case out.ContentLength == nil:
		return driver.ErrUnknownLength
	case driver.TrimETag(aws.ToString(out.ETag)) != v.etag || aws.ToString(out.VersionId) != v.id:
		return fmt.Errorf("%w: it was replaced while it was read", pipeline.ErrChanged)
	case aws.ToString(out.ContentRange) != want || length != end-first:
		return fmt.Errorf("the store was asked for the %d bytes from byte %d on and sends %d (%q)", end-first, first, length, aws.ToString(out.ContentRange))
	}
	return nil
}

// get asks for that many bytes of the version; -1: all that follow.
func (v *version) get(ctx context.Context, first, length int64) (io.ReadCloser, *s3.GetObjectOutput, error) {
	body, err := v.bucket.bucket.NewRangeReader(ctx, v.key, first, length, &blob.ReaderOptions{
		BeforeRead: func(as func(any) bool) error {
			var in *s3.GetObjectInput
			var calls *[]func(*s3.Options)
			if !as(&in) || !as(&calls) {
				return errors.New("gocloud does not show its request")
			}
			*calls = append(*calls, withChecksums)
			in.Key = &v.key
			if v.id != "" {
				in.VersionId = &v.id
			}
			if driver.VersionOf(v.id) == "" && v.etag != "" {
				in.IfMatch = aws.String(`"` + v.etag + `"`)
			}
			in.RequestPayer = v.bucket.payer()
			in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = v.customerKey.algorithm, v.customerKey.key, v.customerKey.sum
			return nil
		},
	})
	if err != nil {
		return nil, nil, err
	}
	var out s3.GetObjectOutput
	if !body.As(&out) {
		return nil, nil, errors.Join(errors.New("gocloud does not show its response"), body.Close())
	}
	return body, &out, nil
}

// head asks for the answer of get without its content.
func (v *version) head(ctx context.Context) (*s3.GetObjectOutput, error) {
	in := v.bucket.headInput(v.key, v.customerKey)
	if id := driver.VersionOf(v.id); id != "" {
		in.VersionId = &id
	} else if v.etag != "" { // not every store can be asked for the version "null"
		in.IfMatch = aws.String(`"` + v.etag + `"`)
	}
	out, err := v.bucket.client.HeadObject(ctx, in, withChecksums)
	if f := faultOf(err); v.id == "null" && (f.refused() || f.nothing()) { // it is not the current version
		in.VersionId = &v.id
		out, err = v.bucket.client.HeadObject(ctx, in, withChecksums)
	}
	if err != nil {
		return nil, err
	}
	return &s3.GetObjectOutput{
		ContentLength: out.ContentLength, ETag: out.ETag, VersionId: out.VersionId, Metadata: out.Metadata,
		ServerSideEncryption: out.ServerSideEncryption, SSECustomerAlgorithm: out.SSECustomerAlgorithm,
		ChecksumType: out.ChecksumType, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C,
		ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256,
		ChecksumSHA512: out.ChecksumSHA512, ChecksumMD5: out.ChecksumMD5, ChecksumXXHASH3: out.ChecksumXXHASH3,
		ChecksumXXHASH64: out.ChecksumXXHASH64, ChecksumXXHASH128: out.ChecksumXXHASH128,
	}, nil
}

// rangeLength returns a length for which ranges end where parts of the object end, if its ETag
// tells the number of parts.
func rangeLength(etag string, size int64) int64 {
	const mib = 1 << 20
	_, count, _ := strings.Cut(etag, "-")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 || n > 10_000 || size < 1 { // an upload in parts may be empty
		return rangeBytes
	}
	// All parts but the last have one length, mostly the smallest possible one in MiB.
	whole := ((size+n-1)/n + mib - 1) / mib
	if (size+whole*mib-1)/(whole*mib) != n {
		return rangeBytes
	}
	for length := int64(8); length <= 16; length++ {
		if whole%length == 0 || length%whole == 0 {
			return length * mib
		}
	}
	return rangeBytes
}
