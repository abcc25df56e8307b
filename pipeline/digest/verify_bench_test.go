package digest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// BenchmarkVerifier measures the cost of claims beside an MD5 of the whole: no claim, a
// CRC64NVME of the whole, and an MD5 of parts as in a multipart ETag.
func BenchmarkVerifier(b *testing.B) {
	const size, part = 16 << 20, 8 << 20
	for _, test := range []struct {
		name   string
		claims []digest.Claim
	}{
		{"none", nil},
		{"crc64nvme", []digest.Claim{{Algorithm: "crc64nvme", Value: strings.Repeat("0", 16)}}},
		{"etag of parts", []digest.Claim{{
			Algorithm: "md5", Value: fmt.Sprintf("%032d-%d", 0, size/part), Parts: slices.Repeat([]int64{part}, size/part),
		}}},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.SetBytes(size)
			chunk := make([]byte, 128<<10)
			for b.Loop() {
				v, err := digest.NewVerifier([]string{"md5"}, test.claims)
				if err != nil {
					b.Fatal(err)
				}
				for range size / len(chunk) {
					_, _ = v.Write(chunk) // never fails
				}
				if got := v.Verdicts(); len(got) != len(test.claims) {
					b.Errorf("%d verdicts", len(got))
				}
			}
		})
	}
}
