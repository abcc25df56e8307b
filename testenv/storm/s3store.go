package storm

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// errGone means that there is no object, or no record.
var errGone = errors.New("gone")

// store is a bucket as users see it: no proxy, no faults.
type store interface {
	// etag returns the ETag that data will have; empty if that is not known before.
	etag(data []byte, parts int) string
	// put writes an object, in parts if there are more than 0.
	put(ctx context.Context, key string, data []byte, parts int) (version, error)
	// remove deletes an object, and returns the delete marker where there are versions.
	remove(ctx context.Context, key string) (marker string, err error)
	// removeVersion deletes one version.
	removeVersion(ctx context.Context, key, id string) error
	// stat returns the current version without its content, or errGone.
	stat(ctx context.Context, key string) (version, error)
	// record returns the record of a key, or errGone.
	record(ctx context.Context, key, alg string) (*record, error)
	// keys returns all keys, those of records included.
	keys(ctx context.Context) ([]string, error)
}

// s3Store is a bucket on versitygw.
type s3Store struct {
	client *s3.Client
	bucket string
	lane   *lane
}

func newS3Client(url string, transport http.RoundTripper) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", Credentials: credentials, BaseEndpoint: &url, UsePathStyle: true,
		HTTPClient:                 &http.Client{Transport: transport},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
}

func md5Of(data []byte) []byte {
	sum := md5.Sum(data)
	return sum[:]
}

// pieces cuts data in n parts of the same size, but the last one.
func pieces(data []byte, n int) [][]byte {
	var all [][]byte
	for i := range n {
		all = append(all, data[i*partSize:min((i+1)*partSize, len(data))])
	}
	return all
}

// partSize is the least that S3 allows for parts other than the last.
const partSize = 5 << 20

func (s *s3Store) etag(data []byte, parts int) string {
	if parts == 0 {
		return hex.EncodeToString(md5Of(data))
	}
	var all []byte
	for _, piece := range pieces(data, parts) {
		all = append(all, md5Of(piece)...)
	}
	return fmt.Sprintf("%x-%d", md5Of(all), parts)
}

func (s *s3Store) put(ctx context.Context, key string, data []byte, parts int) (version, error) {
	if parts == 0 {
		in := &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(data)}
		switch len(data) % 4 { // some objects have claims besides their ETags
		case 1:
			in.ChecksumAlgorithm = types.ChecksumAlgorithmSha256
		case 2:
			in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc64nvme
		}
		out, err := s.client.PutObject(ctx, in)
		if err != nil {
			return version{}, err
		}
		return version{etag: strings.Trim(aws.ToString(out.ETag), `"`), id: aws.ToString(out.VersionId)}, nil
	}
	begun, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return version{}, err
	}
	var done types.CompletedMultipartUpload
	for i, piece := range pieces(data, parts) {
		n := aws.Int32(int32(i + 1))
		out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &s.bucket, Key: &key, UploadId: begun.UploadId, PartNumber: n, Body: bytes.NewReader(piece)})
		if err != nil {
			return version{}, err
		}
		done.Parts = append(done.Parts, types.CompletedPart{ETag: out.ETag, PartNumber: n})
	}
	out, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: begun.UploadId, MultipartUpload: &done})
	if err != nil {
		return version{}, err
	}
	return version{etag: strings.Trim(aws.ToString(out.ETag), `"`), id: aws.ToString(out.VersionId)}, nil
}

func (s *s3Store) remove(ctx context.Context, key string) (string, error) {
	out, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.VersionId), nil
}

func (s *s3Store) removeVersion(ctx context.Context, key, id string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key, VersionId: &id})
	return err
}

// gone returns errGone for an answer 404, or 405, which is that of a delete marker.
func gone(err error) error {
	e, ok := errors.AsType[*awshttp.ResponseError](err)
	if ok && (e.HTTPStatusCode() == http.StatusNotFound || e.HTTPStatusCode() == http.StatusMethodNotAllowed) {
		return errGone
	}
	return err
}

func (s *s3Store) stat(ctx context.Context, key string) (version, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return version{}, gone(err)
	}
	return version{etag: strings.Trim(aws.ToString(out.ETag), `"`), id: aws.ToString(out.VersionId)}, nil
}

func (s *s3Store) record(ctx context.Context, key, alg string) (*record, error) {
	if s.lane.tags {
		return s.tags(ctx, key, alg)
	}
	bucket, at := s.bucket, s.lane.layout.RecordKey(key, alg)
	if s.lane.keeper != "" {
		bucket, at = s.lane.keeper, s.bucket+"/"+at
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &at})
	if err != nil {
		return nil, gone(err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, err
	}
	line, err := digest.ParseLine(strings.TrimSuffix(string(data), "\n"))
	if err != nil {
		return &record{raw: string(data)}, nil
	}
	m := driver.UnescapeMetadata(out.Metadata)
	return &record{
		value: line.Value, etag: m["source-etag"], version: m["source-version-id"], size: number(m["source-size"]),
		raw: fmt.Sprintf("%q %v", data, m),
	}, nil
}

func (s *s3Store) tags(ctx context.Context, key, alg string) (*record, error) {
	out, err := s.client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, gone(err)
	}
	tags := make(map[string]string)
	for _, t := range out.TagSet {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	if tags["bucketsum:"+alg] == "" {
		return nil, errGone
	}
	r := &record{value: tags["bucketsum:"+alg], version: aws.ToString(out.VersionId), size: -1, raw: fmt.Sprint(tags)}
	for field := range strings.FieldsSeq(tags["bucketsum"]) {
		switch name, value, _ := strings.Cut(field, "="); name {
		case "etag":
			r.etag = value
		case "size":
			r.size = number(value)
		}
	}
	return r, nil
}

// number returns -1 for what is not a number.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (s *s3Store) keys(ctx context.Context) ([]string, error) { return keysIn(ctx, s.client, s.bucket) }

func keysIn(ctx context.Context, client *s3.Client, bucket string) ([]string, error) {
	var keys []string
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
	}
	return keys, nil
}
