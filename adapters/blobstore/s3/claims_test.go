package s3_test

import (
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// byDefault is the checksum that S3 computes of an upload without one.
const byDefault = "x-amz-checksum-crc64nvme"

// minPart is the smallest size that S3 accepts for a part that is not the last.
const minPart = 5 << 20

// multipart uploads parts of these sizes in bytes as one object.
func multipart(t *testing.T, b drivertest.S3Bucket, key string, algorithm types.ChecksumAlgorithm, kind types.ChecksumType, sizes ...int) pipeline.Object {
	t.Helper()
	upload, err := b.Client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: &b.Name, Key: &key, ChecksumAlgorithm: algorithm, ChecksumType: kind,
	})
	if err != nil {
		t.Fatal(err)
	}
	done, total := &types.CompletedMultipartUpload{}, 0
	for i, size := range sizes {
		part, err := b.Client.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: &b.Name, Key: &key, UploadId: upload.UploadId, PartNumber: aws.Int32(int32(i + 1)),
			Body: strings.NewReader(strings.Repeat(string(rune('a'+i)), size)), ChecksumAlgorithm: algorithm,
		})
		if err != nil {
			t.Fatal(err)
		}
		done.Parts = append(done.Parts, types.CompletedPart{
			PartNumber: aws.Int32(int32(i + 1)), ETag: part.ETag,
			ChecksumCRC32: part.ChecksumCRC32, ChecksumCRC32C: part.ChecksumCRC32C, ChecksumCRC64NVME: part.ChecksumCRC64NVME,
			ChecksumSHA1: part.ChecksumSHA1, ChecksumSHA256: part.ChecksumSHA256,
		})
		total += size
	}
	out, err := b.Client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: &b.Name, Key: &key, UploadId: upload.UploadId, MultipartUpload: done, ChecksumType: kind,
	})
	if err != nil {
		t.Fatal(err)
	}
	return pipeline.Object{
		Bucket: b.Name, Key: key, Size: int64(total),
		ETag: strings.Trim(aws.ToString(out.ETag), `"`), VersionID: aws.ToString(out.VersionId),
	}
}

// weak is the checksum that S3 keeps of what weakly uploads.
const weak = "x-amz-checksum-crc32"

// weakly is multipart with a checksum of the whole that cannot replace the ETag.
func weakly(t *testing.T, b drivertest.S3Bucket, key string, sizes ...int) pipeline.Object {
	t.Helper()
	return multipart(t, b, key, types.ChecksumAlgorithmCrc32, types.ChecksumTypeFullObject, sizes...)
}

// outcomes reads an object and returns the outcome of each claim about it. A claim with guessed
// parts counts if the parts are confirmed.
func outcomes(t *testing.T, source pipeline.Source, o pipeline.Object) map[string]digest.Outcome {
	t.Helper()
	r, err := source.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	claims := r.Claims(t.Context())
	checked := make([]digest.Claim, len(claims))
	for i, c := range claims {
		checked[i] = c.Claim
		if c.Confirm == nil {
			continue
		}
		sizes, err := c.Confirm(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sizes, c.Parts); diff != "" {
			t.Errorf("parts of %s (-confirmed +guessed):\n%s", c.Name, diff)
		}
	}
	v, err := digest.NewVerifier(nil, checked)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := digest.Copy(t.Context(), v, r); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]digest.Outcome)
	for i, verdict := range v.Verdicts() {
		all[claims[i].Name] = verdict.Outcome
		if verdict.Outcome != digest.Match {
			t.Logf("%s: %+v", claims[i].Name, verdict)
		}
	}
	return all
}

type found = map[string]digest.Outcome

func TestS3Claims(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), true)
	store := b.Open(t, blobstore.Config{})
	sum := md5.Sum([]byte("hello"))
	xxh := xxh3.HashString("hello")
	for name, tc := range map[string]struct {
		put  func(key string) pipeline.Object
		want found
	}{
		"single": {func(key string) pipeline.Object { return b.Put(t, key, "hello") },
			found{"etag": digest.Match, byDefault: digest.Match}},
		"empty": {func(key string) pipeline.Object { return b.Put(t, key, "") },
			found{"etag": digest.Match, byDefault: digest.Match}},
		"CRC32C": {func(key string) pipeline.Object {
			return b.Put(t, key, "hello", checksum(types.ChecksumAlgorithmCrc32c))
		},
			found{"etag": digest.Match, "x-amz-checksum-crc32c": digest.Match}},
		"CRC64NVME": {func(key string) pipeline.Object {
			return b.Put(t, key, "hello", checksum(types.ChecksumAlgorithmCrc64nvme))
		},
			found{"etag": digest.Match, "x-amz-checksum-crc64nvme": digest.Match}},
		"SHA1": {func(key string) pipeline.Object { return b.Put(t, key, "hello", checksum(types.ChecksumAlgorithmSha1)) },
			found{"etag": digest.Match, "x-amz-checksum-sha1": digest.Match}},
		"SHA256": {func(key string) pipeline.Object {
			return b.Put(t, key, "hello", checksum(types.ChecksumAlgorithmSha256))
		},
			found{"etag": digest.Match, "x-amz-checksum-sha256": digest.Match}},
		"XXHASH3": {func(key string) pipeline.Object {
			return b.Put(t, key, "hello", func(in *s3.PutObjectInput) {
				value := base64.StdEncoding.EncodeToString([]byte{byte(xxh >> 56), byte(xxh >> 48), byte(xxh >> 40), byte(xxh >> 32), byte(xxh >> 24), byte(xxh >> 16), byte(xxh >> 8), byte(xxh)})
				in.ChecksumXXHASH3 = &value
			})
		}, found{"etag": digest.Match, "x-amz-checksum-xxhash3": digest.Match}},
		"metadata of rclone": {func(key string) pipeline.Object {
			return b.Put(t, key, "hello", func(in *s3.PutObjectInput) {
				in.Metadata = map[string]string{"Md5chksum": base64.StdEncoding.EncodeToString(sum[:])}
			})
		}, found{"etag": digest.Match, byDefault: digest.Match, "md5chksum": digest.Match}},
		"malformed metadata": {func(key string) pipeline.Object {
			return b.Put(t, key, "hello", func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"md5chksum": "?"} })
		}, found{"etag": digest.Match, byDefault: digest.Match, "md5chksum": digest.Unchecked}},
		// Where there is a strong checksum of the whole, the parts are left alone.
		"3 parts": {func(key string) pipeline.Object { return multipart(t, b, key, "", "", minPart, minPart, 1234567) },
			found{byDefault: digest.Match}},
		"3 parts, the last shorter": {func(key string) pipeline.Object { return weakly(t, b, key, minPart, minPart, 1234567) },
			found{"etag": digest.Match, weak: digest.Match}},
		"2 parts of one size": {func(key string) pipeline.Object { return weakly(t, b, key, minPart, minPart) },
			found{"etag": digest.Match, weak: digest.Match}},
		"1 part": {func(key string) pipeline.Object { return weakly(t, b, key, 9) },
			found{"etag": digest.Unchecked, weak: digest.Match}},
		"composite of 1 part": {func(key string) pipeline.Object {
			return multipart(t, b, key, types.ChecksumAlgorithmSha256, types.ChecksumTypeComposite, 9)
		}, found{"etag": digest.Unchecked, "x-amz-checksum-sha256": digest.Match}},
		"composite SHA256": {func(key string) pipeline.Object {
			return multipart(t, b, key, types.ChecksumAlgorithmSha256, types.ChecksumTypeComposite, minPart, minPart, 99)
		}, found{"etag": digest.Match, "x-amz-checksum-sha256": digest.Match}},
		"composite CRC32": {func(key string) pipeline.Object {
			return multipart(t, b, key, types.ChecksumAlgorithmCrc32, types.ChecksumTypeComposite, minPart, minPart, 99)
		}, found{"etag": digest.Match, "x-amz-checksum-crc32": digest.Match}},
		"composite CRC32C": {func(key string) pipeline.Object {
			return multipart(t, b, key, types.ChecksumAlgorithmCrc32c, types.ChecksumTypeComposite, minPart, 99)
		}, found{"etag": digest.Match, "x-amz-checksum-crc32c": digest.Match}},
		"CRC64NVME of parts as a whole": {func(key string) pipeline.Object {
			return multipart(t, b, key, types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject, minPart, minPart, 99)
		}, found{"x-amz-checksum-crc64nvme": digest.Match}},
		// Nothing tells the sizes: this store keeps no list, and the first part misleads.
		"uneven parts": {func(key string) pipeline.Object {
			return weakly(t, b, key, minPart+1, minPart, minPart, minPart+9)
		},
			found{"etag": digest.Unchecked, weak: digest.Match}},
	} {
		t.Run(name, func(t *testing.T) {
			o := tc.put("dir/" + name)
			b.Put(t, "dir/"+name, "a newer version") // which none of the claims is of
			if diff := cmp.Diff(tc.want, outcomes(t, store, o)); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

func checksum(a types.ChecksumAlgorithm) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = a }
}

// TestS3ClaimsOfAnswers lets a proxy change the answers of the store.
func TestS3ClaimsOfAnswers(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	single, parts := b.Put(t, "single", "hello"), weakly(t, b, "parts", minPart+1, minPart, 99)
	uneven := fmt.Sprintf(`<GetObjectAttributesResponse><ETag>%s</ETag><ObjectParts><PartsCount>3</PartsCount>`+
		`<IsTruncated>%%s</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>%%s</ObjectParts></GetObjectAttributesResponse>`, parts.ETag)
	part := func(n, size int) string {
		return fmt.Sprintf("<Part><PartNumber>%d</PartNumber><Size>%d</Size></Part>", n, size)
	}
	attributes := func(answers ...string) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if !r.URL.Query().Has("attributes") {
				next.ServeHTTP(w, r)
				return
			}
			page := answers[0]
			if r.Header.Get("X-Amz-Part-Number-Marker") != "" {
				page = answers[1]
			}
			_, _ = w.Write([]byte(page))
		}
	}
	header := func(name, value string) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(&headerWriter{ResponseWriter: w, name: name, value: value}, r)
		}
	}
	untyped := func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&untypedWriter{w}, r)
	}
	composite := multipart(t, b, "composite", types.ChecksumAlgorithmSha256, types.ChecksumTypeComposite, minPart, 99)
	whole := multipart(t, b, "whole", types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject, minPart, 99)
	for name, tc := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request, http.Handler)
		object pipeline.Object
		want   found
	}{
		"KMS":               {header("X-Amz-Server-Side-Encryption", "aws:kms"), single, found{byDefault: digest.Match}},
		"KMS twice":         {header("X-Amz-Server-Side-Encryption", "aws:kms:dsse"), single, found{byDefault: digest.Match}},
		"S3's own key":      {header("X-Amz-Server-Side-Encryption", "AES256"), single, found{"etag": digest.Match, byDefault: digest.Match}},
		"a customer's key":  {header("X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256"), single, found{byDefault: digest.Match}},
		"unknown algorithm": {header("X-Amz-Checksum-Xxhash64", "x"), single, found{"etag": digest.Match, byDefault: digest.Match, "x-amz-checksum-xxhash64": digest.Unchecked}},
		"malformed":         {header("X-Amz-Checksum-Sha256", "!"), single, found{"etag": digest.Match, byDefault: digest.Match, "x-amz-checksum-sha256": digest.Unchecked}},
		"composite of 1 part, and wrong": {header("X-Amz-Checksum-Sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=-1"), single,
			found{"etag": digest.Match, byDefault: digest.Match, "x-amz-checksum-sha256": digest.Mismatch}},
		"malformed, of parts": {header("X-Amz-Checksum-Sha256", "!"), weakly(t, b, "malformed", minPart, 99),
			found{"etag": digest.Match, weak: digest.Match, "x-amz-checksum-sha256": digest.Unchecked}},
		"too short, of parts": {header("X-Amz-Checksum-Sha256", "4waSgw=="), weakly(t, b, "short", minPart, 99),
			found{"etag": digest.Match, weak: digest.Match, "x-amz-checksum-sha256": digest.Unchecked}},
		"composite, without the number of parts": {header("X-Amz-Checksum-Type", "COMPOSITE"), single,
			found{"etag": digest.Match, byDefault: digest.Unchecked}},
		"parts beyond counting": {header("X-Amz-Checksum-Crc32c", "4waSgw==-99999999999999999999"), single,
			found{"etag": digest.Match, byDefault: digest.Match, "x-amz-checksum-crc32c": digest.Unchecked}},
		"more parts than the ETag": {header("X-Amz-Checksum-Crc32c", "4waSgw==-7"), weakly(t, b, "even", minPart, 99),
			found{"etag": digest.Match, "x-amz-checksum-crc32c": digest.Unchecked, weak: digest.Match}},
		// Who says neither of what a checksum is, nor of how many, is believed in both.
		"of the whole, untyped":           {untyped, weakly(t, b, "untyped", minPart, 99), found{"etag": digest.Match, weak: digest.Match}},
		"of one part as a whole, untyped": {untyped, weakly(t, b, "one", 9), found{"etag": digest.Unchecked, weak: digest.Match}},
		"CRC64NVME, untyped":              {untyped, whole, found{byDefault: digest.Match}},
		"composite, untyped":              {untyped, composite, found{"etag": digest.Match, "x-amz-checksum-sha256": digest.Match}},
		"neither of both, untyped": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			header("X-Amz-Checksum-Crc32c", "4waSgw==")(w, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { untyped(w, r, next) }))
		}, composite, found{"etag": digest.Match, "x-amz-checksum-sha256": digest.Match, "x-amz-checksum-crc32c": digest.Unchecked}},
		// S3 counts, so that these are what a list is asked for.
		"listed":              {attributes(fmt.Sprintf(uneven, "false", part(1, minPart+1)+part(2, minPart)+part(3, 99))), parts, found{"etag": digest.Match, weak: digest.Match}},
		"listed in two pages": {attributes(fmt.Sprintf(uneven, "true", part(1, minPart+1)+part(2, minPart)), fmt.Sprintf(uneven, "false", part(3, 99))), parts, found{"etag": digest.Match, weak: digest.Match}},
		"listed in part":      {attributes(fmt.Sprintf(uneven, "false", part(1, minPart+1)+part(2, minPart))), parts, found{"etag": digest.Unchecked, weak: digest.Match}},
		"list is another's":   {attributes(strings.ReplaceAll(fmt.Sprintf(uneven, "false", part(1, 1)), parts.ETag, "x")), parts, found{"etag": digest.Unchecked, weak: digest.Match}},
		"list is garbage":     {attributes("<"), parts, found{"etag": digest.Unchecked, weak: digest.Match}},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "list") {
				// A first part that fits no even layout.
				inner := tc.answer
				tc.answer = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					if r.URL.Query().Has("partNumber") {
						header("Content-Length", "7")(w, r, next)
						return
					}
					inner(w, r, next)
				}
			}
			store := b.Through(server.Before(t, tc.answer)).Open(t, blobstore.Config{})
			if diff := cmp.Diff(tc.want, outcomes(t, store, tc.object)); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

// headerWriter sets a header of the answer.
type headerWriter struct {
	http.ResponseWriter
	name, value string
}

func (w *headerWriter) WriteHeader(status int) {
	w.Header().Set(w.name, w.value)
	w.ResponseWriter.WriteHeader(status)
}

// untypedWriter removes the type of the checksums from the answer.
type untypedWriter struct{ http.ResponseWriter }

func (w *untypedWriter) WriteHeader(status int) {
	w.Header().Del("X-Amz-Checksum-Type")
	for name, values := range w.Header() {
		if strings.HasPrefix(name, "X-Amz-Checksum-") {
			values[0], _, _ = strings.Cut(values[0], "-")
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Only claims that need parts cost requests.
func TestS3ClaimsCostLittle(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	var requests atomic.Int32
	store := b.Through(server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		requests.Add(1)
		next.ServeHTTP(w, r)
	})).Open(t, blobstore.Config{})
	for o, want := range map[pipeline.Object]struct {
		requests int32
		claims   int
	}{
		b.Put(t, "single", "hello"): {1, 2},
		multipart(t, b, "parts", types.ChecksumAlgorithmCrc32, types.ChecksumTypeComposite, minPart, minPart, 99): {2, 2},
		multipart(t, b, "parts with a strong checksum", "", "", minPart, minPart, 99):                             {1, 1},
	} {
		requests.Store(0)
		r, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		claims := r.Claims(t.Context())
		if got := requests.Load(); got != want.requests || len(claims) != want.claims {
			t.Errorf("%s: %d requests for %d claims", o.Key, got, len(claims))
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Content that was uploaded in uneven parts which look even is not reported as wrong.
func TestS3PartsThatLookEven(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	// 3 parts whose first and whole say 6, 6, 5.
	o := weakly(t, b, "a", minPart+6, minPart, minPart+2)
	r, err := b.Open(t, blobstore.Config{}).Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	claim := r.Claims(t.Context())[0]
	if diff := cmp.Diff([]int64{minPart + 6, minPart + 6, minPart - 4}, claim.Parts); diff != "" || claim.Confirm == nil {
		t.Fatalf("guess (-want +got):\n%s", diff)
	}
	sizes, err := claim.Confirm(t.Context())
	if diff := cmp.Diff([]int64{minPart + 6, minPart, minPart + 2}, sizes); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	b.Put(t, "a", "replaced")
	if _, err := claim.Confirm(t.Context()); !errors.Is(err, pipeline.ErrChanged) {
		t.Errorf("after it was replaced: %v", err)
	}
}

// moto has fewer checksums. None of its answers is a mismatch.
func TestS3ClaimsOnMoto(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartMoto(t), false)
	store := b.Open(t, blobstore.Config{})
	for _, o := range []pipeline.Object{
		b.Put(t, "single", "hello"),
		b.Put(t, "sha256", "hello", checksum(types.ChecksumAlgorithmSha256)),
		multipart(t, b, "parts", "", "", minPart, minPart, 99),
	} {
		got := outcomes(t, store, o)
		if got["etag"] == "" {
			t.Errorf("%s: no claim of the ETag: %v", o.Key, got)
		}
		for name, outcome := range got {
			if outcome == digest.Mismatch {
				t.Errorf("%s: %s is a mismatch", o.Key, name)
			}
		}
	}
}
