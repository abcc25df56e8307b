package drivertest

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob/s3blob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	s3driver "github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// S3Bucket is a bucket on a test server, as its users see it.
type S3Bucket struct {
	awsenv.Server
	Name   string
	Client *s3.Client
}

// MakeS3Bucket makes an empty bucket.
func MakeS3Bucket(t testing.TB, server awsenv.Server, versioned bool) S3Bucket {
	t.Helper()
	b := S3Bucket{server, "test-" + strings.ToLower(rand.Text()), nil}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	u, err := url.Parse(b.Address())
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := new(s3blob.URLOpener).OpenBucketURL(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	if !bucket.As(&b.Client) {
		t.Fatal("no client")
	}
	options := b.Client.Options()
	options.HTTPClient = &http.Client{Transport: transport}
	options.DisableLogOutputChecksumValidationSkipped = true
	options.RetryMaxAttempts = 10 // Ceph may crash and start again
	b.Client = s3.New(options)
	if _, err := b.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b.Name}); err != nil {
		t.Fatal(err)
	}
	if versioned {
		b.SetVersioning(t, types.BucketVersioningStatusEnabled)
	}
	return b
}

func (b S3Bucket) Address() string { return b.BucketURL(b.Name) }

// Through returns the bucket behind another server, such as a proxy.
func (b S3Bucket) Through(s awsenv.Server) S3Bucket {
	b.Server = s
	return b
}

func (b S3Bucket) SetVersioning(t testing.TB, status types.BucketVersioningStatus) {
	t.Helper()
	_, err := b.Client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &b.Name, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Put stores an object and returns it as an event names it.
func (b S3Bucket) Put(t testing.TB, key, content string, set ...func(*s3.PutObjectInput)) pipeline.Object {
	t.Helper()
	in := &s3.PutObjectInput{Bucket: &b.Name, Key: &key, Body: strings.NewReader(content)}
	for _, f := range set {
		f(in)
	}
	out, err := b.Client.PutObject(context.WithoutCancel(t.Context()), in)
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return pipeline.Object{
		Bucket: b.Name, Key: key, Size: int64(len(content)),
		ETag: strings.Trim(aws.ToString(out.ETag), `"`), VersionID: aws.ToString(out.VersionId),
	}
}

func (b S3Bucket) Get(t *testing.T, key string) (string, bool) {
	t.Helper()
	out, err := b.Client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.Name, Key: &key})
	if _, ok := errors.AsType[*types.NoSuchKey](err); ok {
		return "", false
	}
	if err != nil {
		t.Errorf("get %q: %v", key, err)
		return "", false
	}
	return readAll(t, key, out.Body), true
}

func (b S3Bucket) Delete(t *testing.T, key, version string) {
	t.Helper()
	in := &s3.DeleteObjectInput{Bucket: &b.Name, Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	if _, err := b.Client.DeleteObject(t.Context(), in); err != nil {
		t.Errorf("delete %q: %v", key, err)
	}
}

func (b S3Bucket) Keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	pages := s3.NewListObjectsV2Paginator(b.Client, &s3.ListObjectsV2Input{Bucket: &b.Name, EncodingType: types.EncodingTypeUrl})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range page.Contents {
			key, err := url.QueryUnescape(*entry.Key)
			if err != nil {
				t.Error(err)
			}
			if !strings.HasSuffix(key, "/") { // folders of versitygw
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// WantNoVersions expects no version and no delete marker of the keys with a prefix.
func (b S3Bucket) WantNoVersions(t *testing.T, prefix string) {
	t.Helper()
	out, err := b.Client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &b.Name, Prefix: &prefix})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range out.Versions {
		if !strings.HasSuffix(*v.Key, "/") { // folders of versitygw
			t.Errorf("version %s of %q is left", aws.ToString(v.VersionId), *v.Key)
		}
	}
	for _, m := range out.DeleteMarkers {
		t.Errorf("a delete marker of %q is left", *m.Key)
	}
}

// Open opens the bucket as the pipeline does.
func (b S3Bucket) Open(t testing.TB, c blobstore.Config, options ...s3driver.Options) *blobstore.Store {
	t.Helper()
	if len(options) == 0 {
		return OpenURL(t, b.Address(), b.Name, c)
	}
	return openWith(t, blobstore.Drivers{s3driver.Driver(options[0])}, b.Address(), b.Name, c)
}

// Erase deletes the versions of a key for good. Delete markers stay.
func (b S3Bucket) Erase(t *testing.T, key string) {
	t.Helper()
	for {
		out, err := b.Client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &b.Name, Key: &key})
		if _, ok := errors.AsType[*types.NotFound](err); ok {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		b.Delete(t, key, aws.ToString(out.VersionId))
	}
}

func (b S3Bucket) Harness(layout blobstore.Layout) pipelinetest.Store {
	return pipelinetest.Store{
		Name: b.Name,
		Open: func(t *testing.T, algorithms ...string) pipeline.Bucket {
			return b.Open(t, blobstore.Config{Layout: layout, Algorithms: algorithms}).Bucket()
		},
		RecordKey: layout.RecordKey,
		Put:       func(t *testing.T, key, content string) { b.Put(t, key, content) },
		Get:       b.Get,
		Delete:    func(t *testing.T, key string) { b.Delete(t, key, "") },
		Keys:      b.Keys,
	}
}

// Apart is the harness of a bucket whose records have a bucket of their own.
func (b S3Bucket) Apart(records S3Bucket, layout blobstore.Layout) pipelinetest.Store {
	h := b.Harness(layout)
	of := func(key string) S3Bucket {
		if strings.HasPrefix(key, b.Name+"/") {
			return records
		}
		return b
	}
	h.Open = func(t *testing.T, algorithms ...string) pipeline.Bucket {
		return b.Open(t, blobstore.Config{
			Layout: layout, Algorithms: algorithms, Records: blobstore.RecordOptions{Bucket: records.Address()},
		}).Bucket()
	}
	h.RecordKey = func(key, alg string) string { return b.Name + "/" + layout.RecordKey(key, alg) }
	h.Put = func(t *testing.T, key, content string) { of(key).Put(t, key, content) }
	h.Get = func(t *testing.T, key string) (string, bool) { return of(key).Get(t, key) }
	h.Delete = func(t *testing.T, key string) { of(key).Delete(t, key, "") }
	h.Keys = func(t *testing.T) []string { return append(b.Keys(t), records.Keys(t)...) }
	return h
}
