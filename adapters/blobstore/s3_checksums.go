package blobstore

import (
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/minio/crc64nvme"
)

// s3Checksums are the checksums that S3 has of the whole content of an object, in
// base64; nil where it has none. Content is compared with the cheapest of the CRCs,
// which takes some hundredths of what the SDK's own check takes, and holds for
// bodies that were resumed or came in ranges, too.
type s3Checksums struct{ crc64nvme, crc32c, crc32 *string }

// askChecksums makes an answer tell checksums, and the SDK not compute them.
func askChecksums(as func(any) bool) error {
	var options *[]func(*s3.Options)
	if !as(&options) {
		return errors.New("gocloud does not show the options of its request")
	}
	*options = append(*options, func(o *s3.Options) {
		if o.ResponseChecksumValidation == aws.ResponseChecksumValidationWhenRequired {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Checksum-Mode", "ENABLED"))
		}
	})
	return nil
}

// checksumsOf returns the checksums that an answer tells. Those of objects that
// were uploaded in parts may be of the parts' checksums: they say nothing here.
func checksumsOf(out *s3.GetObjectOutput) s3Checksums {
	if out.ChecksumType == types.ChecksumTypeComposite {
		return s3Checksums{}
	}
	whole := func(sum *string) *string {
		if strings.Contains(aws.ToString(sum), "-") {
			return nil
		}
		return sum
	}
	return s3Checksums{whole(out.ChecksumCRC64NVME), whole(out.ChecksumCRC32C), whole(out.ChecksumCRC32)}
}

// check returns content that ends with an error if it is not that of the
// checksums.
func (s s3Checksums) check(c content) content {
	switch {
	case s.crc64nvme != nil:
		return &s3Checked{c, crc64nvme.New(), *s.crc64nvme}
	case s.crc32c != nil:
		return &s3Checked{c, crc32.New(crc32.MakeTable(crc32.Castagnoli)), *s.crc32c}
	case s.crc32 != nil:
		return &s3Checked{c, crc32.NewIEEE(), *s.crc32}
	}
	return c
}

type s3Checked struct {
	content
	hash interface {
		io.Writer
		Sum([]byte) []byte
	}
	want string
}

// Read implements io.Reader.
func (c *s3Checked) Read(p []byte) (int, error) {
	n, err := c.content.Read(p)
	c.hash.Write(p[:n])
	if err == io.EOF {
		if got := base64.StdEncoding.EncodeToString(c.hash.Sum(nil)); got != c.want {
			return n, fmt.Errorf("checksum did not match: S3 has %s of the object, and what came has %s", c.want, got)
		}
	}
	return n, err
}
