package blobstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// withChecksums makes S3 send the checksums that it keeps, and the SDK leave them
// alone: it would compute them once more, and cannot go on where a body broke off.
func withChecksums(o *s3.Options) {
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Checksum-Mode", "ENABLED"))
}

// md5ETag is the form of an ETag that is an MD5, or one of content in parts.
var md5ETag = regexp.MustCompile(`^[0-9a-f]{32}(-[0-9]+)?$`)

// claimsOf returns what an answer with a whole object says of its content, without
// the sizes of its parts.
func (b *s3Bucket) claimsOf(out *s3.GetObjectOutput) []pipeline.Claim {
	var all []pipeline.Claim
	etag := trimETag(aws.ToString(out.ETag))
	if b.etagIsMD5(out) && md5ETag.MatchString(etag) {
		all = append(all, pipeline.Claim{Name: "etag", Claim: digest.Claim{Algorithm: "md5", Value: etag}})
	}
	for _, c := range []struct {
		name, algorithm string
		value           *string
	}{
		{"crc32", "crc32", out.ChecksumCRC32},
		{"crc32c", "crc32c", out.ChecksumCRC32C},
		{"crc64nvme", "crc64nvme", out.ChecksumCRC64NVME},
		{"sha1", "sha1", out.ChecksumSHA1},
		{"sha256", "sha256", out.ChecksumSHA256},
		{"sha512", "sha512", out.ChecksumSHA512},
		{"md5", "md5", out.ChecksumMD5},
		{"xxhash3", "xxh3", out.ChecksumXXHASH3},
		{"xxhash64", "xxhash64", out.ChecksumXXHASH64},    // which nobody here computes
		{"xxhash128", "xxhash128", out.ChecksumXXHASH128}, // likewise
	} {
		if c.value == nil {
			continue
		}
		claim := digest.Claim{Algorithm: c.algorithm, Value: *c.value}
		_, count, inParts := strings.Cut(etag, "-")
		composite := out.ChecksumType == types.ChecksumTypeComposite
		// A CRC64NVME is never composite where nobody says so.
		untold := out.ChecksumType == "" && inParts && c.algorithm != "crc64nvme"
		if !strings.Contains(claim.Value, "-") && (composite || untold) {
			// It is of checksums of parts, or may be, and does not say of how many.
			claim.Value += "-" + count
			claim.Either = untold || count == "1" // see claims
		}
		all = append(all, pipeline.Claim{Name: "x-amz-checksum-" + c.name, Claim: claim})
	}
	return append(all, metadataClaims(out.Metadata)...)
}

// etagIsMD5 reports whether the ETag of an object is made of MD5s, as far as S3's
// documentation promises.
func (b *s3Bucket) etagIsMD5(out *s3.GetObjectOutput) bool {
	switch out.ServerSideEncryption {
	case "", types.ServerSideEncryptionAes256:
	default:
		return false
	}
	// Those are a directory bucket, and an access point of one.
	return out.SSECustomerAlgorithm == nil && !strings.HasSuffix(b.name, "--x-s3") && !strings.HasSuffix(b.name, "--xa-s3")
}

// strong names the algorithms that tell as much as the ETag of an upload in parts
// does of what went wrong by accident, for a fraction of its cost.
var strong = []string{"crc64nvme", "sha1", "sha256", "sha512", "md5", "xxh3"}

// withoutCostly returns the claims without the ETag of an upload in parts, where S3
// keeps a checksum of the whole that tells the same. That ETag takes a second MD5 of
// every byte and a
// request for the sizes of the parts: one large object would be read at half the rate.
func withoutCostly(all []pipeline.Claim) []pipeline.Claim {
	whole := slices.ContainsFunc(all, func(c pipeline.Claim) bool {
		return strings.HasPrefix(c.Name, "x-amz-checksum-") && slices.Contains(strong, c.Algorithm) &&
			!strings.Contains(c.Value, "-") && c.WellFormed()
	})
	return slices.DeleteFunc(slices.Clone(all), func(c pipeline.Claim) bool {
		return whole && c.Name == "etag" && strings.Contains(c.Value, "-")
	})
}

// claims implements claimant. It asks for the sizes of parts where a claim needs
// them.
func (c *s3Content) claims(ctx context.Context) []pipeline.Claim {
	c.asked, c.guard = true, nil
	all := withoutCostly(c.claimed)
	layouts := make(map[int]s3Parts)
	for i := range all {
		n := partsOf(all[i].Value)
		if n < 2 {
			// An ETag of one part is not compared: some stores end any ETag that is
			// no MD5 with "-1".
			if n == 1 && strings.HasPrefix(all[i].Name, "x-amz-checksum-") {
				all[i].Parts = []int64{c.size}
			}
			continue
		}
		parts, ok := layouts[n]
		if !ok {
			parts = c.parts(ctx, n)
			layouts[n] = parts
		}
		all[i].Parts = parts.sizes
		if parts.guessed {
			all[i].Confirm = func(ctx context.Context) ([]int64, error) { return c.partSizes(ctx, n) }
		}
	}
	return all
}

// partsOf returns the number of parts that a claim is of; 0 if it is not of parts.
func partsOf(value string) int {
	_, count, ok := strings.Cut(value, "-")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 || n > s3PartLimit {
		return 0
	}
	return n
}

// s3PartLimit is how many parts an object has at most.
const s3PartLimit = 10_000

// s3Parts are the sizes of parts; nil if they are not known.
type s3Parts struct {
	sizes   []int64 // bytes
	guessed bool    // from the first one
}

// parts returns the sizes of an object's n parts. Most uploaders make all parts of
// one size but for the last, so that the first one tells; else S3 may know more.
func (c *s3Content) parts(ctx context.Context, n int) s3Parts {
	first, count, err := c.part(ctx, 1)
	if err == nil && count == n {
		if sizes := evenParts(c.size, first, n); sizes != nil {
			return s3Parts{sizes, true}
		}
	}
	if err == nil {
		var sizes []int64
		if sizes, err = c.listedParts(ctx, n); err == nil {
			return s3Parts{sizes, false}
		}
	}
	c.s3.log.DebugContext(ctx, "sizes of parts are not known", "bucket", c.s3.name, "key", c.key, "parts", n, "err", err)
	return s3Parts{}
}

// evenParts returns the sizes of n parts that are of one size but for the last,
// which may be smaller; nil if content of this size has no such parts.
func evenParts(size, first int64, n int) []int64 {
	if first <= 0 || (size-1)/first+1 != int64(n) {
		return nil
	}
	sizes := slices.Repeat([]int64{first}, n)
	sizes[n-1] = size - first*int64(n-1)
	return sizes
}

// partSizes returns the sizes of an object's n parts as S3 has them, which takes a
// request for each if S3 keeps no list.
func (c *s3Content) partSizes(ctx context.Context, n int) ([]int64, error) {
	sizes, err := c.listedParts(ctx, n)
	if err == nil {
		return sizes, nil
	}
	sizes = make([]int64, n)
	for i := range sizes {
		if sizes[i], _, err = c.part(ctx, int32(i+1)); err != nil {
			return nil, c.s3.translate(err, "s3:GetObject")
		}
	}
	return sizes, nil
}

// part returns the size of one part, from 1, and how many there are; 0 if S3 does
// not say.
func (c *s3Content) part(ctx context.Context, number int32) (size int64, count int, err error) {
	in := &s3.HeadObjectInput{
		Bucket:               &c.s3.name,
		Key:                  &c.key,
		PartNumber:           &number,
		RequestPayer:         c.s3.payer(),
		SSECustomerAlgorithm: c.customerKey.algorithm,
		SSECustomerKey:       c.customerKey.key,
		SSECustomerKeyMD5:    c.customerKey.sum,
	}
	if c.versionID != "" {
		in.VersionId = &c.versionID
	}
	if versionOf(c.versionID) == "" {
		in.IfMatch = aws.String(`"` + c.etag + `"`)
	}
	out, err := c.s3.client.HeadObject(ctx, in)
	if err != nil {
		return 0, 0, err
	}
	if trimETag(aws.ToString(out.ETag)) != c.etag {
		return 0, 0, fmt.Errorf("%w: it was replaced while it was read", pipeline.ErrChanged)
	}
	return aws.ToInt64(out.ContentLength), int(aws.ToInt32(out.PartsCount)), nil
}

var errNoList = errors.New("the store keeps no list of the parts")

// listedParts returns the sizes of the n parts that S3 keeps a list of: those of
// objects that were uploaded with checksums.
func (c *s3Content) listedParts(ctx context.Context, n int) ([]int64, error) {
	in := &s3.GetObjectAttributesInput{
		Bucket:               &c.s3.name,
		Key:                  &c.key,
		ObjectAttributes:     []types.ObjectAttributes{types.ObjectAttributesEtag, types.ObjectAttributesObjectParts},
		RequestPayer:         c.s3.payer(),
		SSECustomerAlgorithm: c.customerKey.algorithm,
		SSECustomerKey:       c.customerKey.key,
		SSECustomerKeyMD5:    c.customerKey.sum,
	}
	if c.versionID != "" {
		in.VersionId = &c.versionID
	}
	var sizes []int64
	for len(sizes) < n {
		out, err := c.s3.client.GetObjectAttributes(ctx, in)
		switch {
		case err != nil:
			return nil, err
		case trimETag(aws.ToString(out.ETag)) != c.etag:
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

// guard checks a body that nobody else checks, as the SDK does, for what can go
// wrong on the way. A nil guard checks nothing.
type guard struct {
	claims   []pipeline.Claim
	verifier *digest.Verifier
}

// newGuard returns what checks the checksums that S3 keeps of the object as a whole.
func newGuard(claims []pipeline.Claim) *guard {
	g := &guard{}
	var kept []digest.Claim
	for _, c := range claims {
		if strings.HasPrefix(c.Name, "x-amz-checksum-") && partsOf(c.Value) == 0 {
			g.claims, kept = append(g.claims, c), append(kept, c.Claim)
		}
	}
	g.verifier, _ = digest.NewVerifier(nil, kept) // nothing is wrong with no names
	return g
}

func (g *guard) write(p []byte) {
	if g != nil {
		_, _ = g.verifier.Write(p) // never fails
	}
}

// check reports at the end of the body that it was not the right one.
func (g *guard) check() error {
	if g == nil {
		return nil
	}
	for i, v := range g.verifier.Verdicts() {
		if v.Outcome == digest.Mismatch {
			return fmt.Errorf("checksum did not match: %s says %s, the content has %s", g.claims[i].Name, v.Claimed, v.Computed)
		}
	}
	return nil
}
