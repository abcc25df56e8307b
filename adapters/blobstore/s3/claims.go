package s3

import (
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// withChecksums makes S3 send the checksums that it keeps. The SDK must not check them: it
// would compute them a second time, and cannot resume a body that broke off.
func withChecksums(o *s3.Options) {
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Checksum-Mode", "ENABLED"))
}

// md5ETag is the form of an ETag that is the MD5 of the content, or of the MD5s of its parts.
var md5ETag = regexp.MustCompile(`^[0-9a-f]{32}(-[0-9]+)?$`)

// claimsOf returns what the answer for a whole object claims about its content, without the
// sizes of parts.
func (b *bucket) claimsOf(out *s3.GetObjectOutput) []pipeline.Claim {
	var all []pipeline.Claim
	etag := driver.TrimETag(aws.ToString(out.ETag))
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
		{"xxhash64", "xxhash64", out.ChecksumXXHASH64},    // digest does not compute it
		{"xxhash128", "xxhash128", out.ChecksumXXHASH128}, // likewise
	} {
		if c.value == nil {
			continue
		}
		claim := digest.Claim{Algorithm: c.algorithm, Value: *c.value}
		_, count, inParts := strings.Cut(etag, "-")
		composite := out.ChecksumType == types.ChecksumTypeComposite
		// A CRC64NVME without a type is never composite.
		untold := out.ChecksumType == "" && inParts && c.algorithm != "crc64nvme"
		if !strings.Contains(claim.Value, "-") && (composite || untold) {
			// It is a checksum of the checksums of parts, or may be one, and does not say of
			// how many.
			claim.Value += "-" + count
			claim.Either = untold || count == "1" // see withParts
		}
		all = append(all, pipeline.Claim{Name: "x-amz-checksum-" + c.name, Claim: claim})
	}
	return append(all, driver.MetadataClaims(out.Metadata)...)
}

// etagIsMD5 reports whether the ETag of an object is made of MD5s, as far as S3's documentation
// promises.
func (b *bucket) etagIsMD5(out *s3.GetObjectOutput) bool {
	switch out.ServerSideEncryption {
	case "", types.ServerSideEncryptionAes256:
	default:
		return false
	}
	// These names are of a directory bucket, and of an access point of one.
	return out.SSECustomerAlgorithm == nil && !strings.HasSuffix(b.name, "--x-s3") && !strings.HasSuffix(b.name, "--xa-s3")
}

// strong lists the algorithms that detect damage as well as the ETag of an upload in parts
// does, at a fraction of its cost.
var strong = []string{"crc64nvme", "sha1", "sha256", "sha512", "md5", "xxh3"}

// withoutCostly returns the claims without the ETag of an upload in parts, if S3 keeps a
// checksum of the whole that is as strong. That ETag costs a second MD5 of every byte and a
// request for the sizes of the parts: a large object would be read at half the rate.
func withoutCostly(all []pipeline.Claim) []pipeline.Claim {
	whole := slices.ContainsFunc(all, func(c pipeline.Claim) bool {
		return strings.HasPrefix(c.Name, "x-amz-checksum-") && slices.Contains(strong, c.Algorithm) &&
			!strings.Contains(c.Value, "-") && c.WellFormed()
	})
	return slices.DeleteFunc(slices.Clone(all), func(c pipeline.Claim) bool {
		return whole && c.Name == "etag" && strings.Contains(c.Value, "-")
	})
}

// guards returns the claims about the object as a whole, which a reader can check itself.
func guards(all []pipeline.Claim) []pipeline.Claim {
	return slices.DeleteFunc(slices.Clone(all), func(c pipeline.Claim) bool {
		return !strings.HasPrefix(c.Name, "x-amz-checksum-") || partsOf(c.Value) != 0
	})
}
