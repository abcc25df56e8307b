package blobstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob/s3blob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	s3driver "github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// s3Bucket is a bucket on a test server as its users have it.
type s3Bucket struct {
	awsenv.Server
	name   string
	client *s3.Client
}

// makeBucket makes an empty bucket.
func makeBucket(t testing.TB, server awsenv.Server, versioned bool) s3Bucket {
	t.Helper()
	b := s3Bucket{server, "test-" + strings.ToLower(rand.Text()), nil}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	u, err := url.Parse(b.url())
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
	if !bucket.As(&b.client) {
		t.Fatal("no client")
	}
	options := b.client.Options()
	options.HTTPClient = &http.Client{Transport: transport}
	options.DisableLogOutputChecksumValidationSkipped = true
	b.client = s3.New(options)
	if _, err := b.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b.name}); err != nil {
		t.Fatal(err)
	}
	if versioned {
		b.setVersioning(t, types.BucketVersioningStatusEnabled)
	}
	return b
}

func (b s3Bucket) url() string { return b.BucketURL(b.name) }

// through returns the bucket as seen through another server, such as a proxy.
func (b s3Bucket) through(s awsenv.Server) s3Bucket {
	b.Server = s
	return b
}

func (b s3Bucket) setVersioning(t testing.TB, status types.BucketVersioningStatus) {
	t.Helper()
	_, err := b.client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &b.name, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// put stores an object and returns it as an event would name it.
func (b s3Bucket) put(t testing.TB, key, content string, set ...func(*s3.PutObjectInput)) pipeline.Object {
	t.Helper()
	in := &s3.PutObjectInput{Bucket: &b.name, Key: &key, Body: strings.NewReader(content)}
	for _, f := range set {
		f(in)
	}
	out, err := b.client.PutObject(context.WithoutCancel(t.Context()), in)
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return pipeline.Object{
		Bucket: b.name, Key: key, Size: int64(len(content)),
		ETag: strings.Trim(aws.ToString(out.ETag), `"`), VersionID: aws.ToString(out.VersionId),
	}
}

func (b s3Bucket) get(t *testing.T, key string) (string, bool) {
	t.Helper()
	out, err := b.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	if _, ok := errors.AsType[*types.NoSuchKey](err); ok {
		return "", false
	}
	if err != nil {
		t.Errorf("get %q: %v", key, err)
		return "", false
	}
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	if err != nil {
		t.Errorf("get %q: %v", key, err)
	}
	return string(content), true
}

func (b s3Bucket) delete(t *testing.T, key, version string) {
	t.Helper()
	in := &s3.DeleteObjectInput{Bucket: &b.name, Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	if _, err := b.client.DeleteObject(t.Context(), in); err != nil {
		t.Errorf("delete %q: %v", key, err)
	}
}

func (b s3Bucket) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name, EncodingType: types.EncodingTypeUrl})
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

// open opens the bucket as the pipeline does.
func (b s3Bucket) open(t testing.TB, c blobstore.Config, options ...s3driver.Options) *blobstore.Store {
	t.Helper()
	drivers := drivers
	if len(options) > 0 {
		drivers = blobstore.Drivers{s3driver.Driver(options[0])}
	}
	store, err := drivers.Open(t.Context(), b.url(), b.name, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// erase deletes the versions of a key for good. Markers stay.
func (b s3Bucket) erase(t *testing.T, key string) {
	t.Helper()
	for {
		out, err := b.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
		if _, ok := errors.AsType[*types.NotFound](err); ok {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		b.delete(t, key, aws.ToString(out.VersionId))
	}
}

func (b s3Bucket) harness(layout blobstore.Layout) pipelinetest.Store {
	return pipelinetest.Store{
		Name: b.name,
		Open: func(t *testing.T, algorithms ...string) pipeline.Bucket {
			return b.open(t, blobstore.Config{Layout: layout, Algorithms: algorithms}).Bucket()
		},
		RecordKey: layout.RecordKey,
		Put:       func(t *testing.T, key, content string) { b.put(t, key, content) },
		Get:       b.get,
		Delete:    func(t *testing.T, key string) { b.delete(t, key, "") },
		Keys:      b.keys,
	}
}

// apart is the harness of a bucket whose records have a bucket of their own.
func (b s3Bucket) apart(records s3Bucket, layout blobstore.Layout) pipelinetest.Store {
	h := b.harness(layout)
	of := func(key string) s3Bucket {
		if strings.HasPrefix(key, b.name+"/") {
			return records
		}
		return b
	}
	h.Open = func(t *testing.T, algorithms ...string) pipeline.Bucket {
		return b.open(t, blobstore.Config{
			Layout: layout, Algorithms: algorithms, Records: blobstore.RecordOptions{Bucket: records.url()},
		}).Bucket()
	}
	h.RecordKey = func(key, alg string) string { return b.name + "/" + layout.RecordKey(key, alg) }
	h.Put = func(t *testing.T, key, content string) { of(key).put(t, key, content) }
	h.Get = func(t *testing.T, key string) (string, bool) { return of(key).get(t, key) }
	h.Delete = func(t *testing.T, key string) { of(key).delete(t, key, "") }
	h.Keys = func(t *testing.T) []string { return append(b.keys(t), records.keys(t)...) }
	return h
}

func TestStoreOnS3(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	t.Run("by ETag", func(t *testing.T) {
		pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
			return makeBucket(t, server, false).harness(blobstore.Layout{})
		})
	})
	t.Run("by version", func(t *testing.T) {
		pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
			b := makeBucket(t, server, true)
			h := b.harness(mustLayout(t, "{dir}/.sums/{base}.{alg}"))
			h.Versions = true
			h.Delete = b.erase
			return h
		})
	})
	t.Run("records apart", func(t *testing.T) {
		pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
			return makeBucket(t, server, false).apart(makeBucket(t, server, true), mustLayout(t, "checksums/{key}.{alg}"))
		})
	})
}

func TestOpenS3(t *testing.T) {
	dir := t.TempDir()
	for raw, says := range map[string]string{
		"s3://":                              "s3://NAME",
		"s3://bucket/prefix?region=x":        "s3://NAME",
		"s3://bucket?nosuch=1":               "nosuch",
		"s3://bucket?use_path_style=perhaps": "use_path_style",
	} {
		if _, err := drivers.Open(t.Context(), raw, "b", blobstore.Config{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error that says %q", raw, err, says)
		}
	}
	for says, c := range map[string]blobstore.Config{
		"records of bucket": {Records: blobstore.RecordOptions{Bucket: "nosuch://x"}},
		"only those on S3":  {Records: blobstore.RecordOptions{Bucket: "file://" + dir, RecordOptions: driver.RecordOptions{KMSKey: "k"}}},
	} {
		if _, err := drivers.Open(t.Context(), "s3://bucket?region=us-east-1", "b", c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
	}
	short := blobstore.Drivers{s3driver.Driver(s3driver.Options{CustomerKey: []byte("short")})}
	if _, err := short.Open(t.Context(), "s3://bucket?region=us-east-1", "b", blobstore.Config{}); err == nil || !strings.Contains(err.Error(), "32 bytes") {
		t.Errorf("got %v, want an error about the length of the key", err)
	}
	if store, err := drivers.Open(t.Context(), "s3://bucket?region=us-east-1&ssetype=AES256&accelerate=true&dualstack=true", "b", blobstore.Config{}); err != nil {
		t.Error(err)
	} else if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// Whatever the buckets are called and whichever of them are one, a record never
// becomes work.
func TestNoRecordOfARecord(t *testing.T) {
	for _, template := range []string{blobstore.DefaultLayout, "checksums/{key}.{alg}", "{dir}/.sums/{base}.{alg}"} {
		layout := mustLayout(t, template)
		store, err := drivers.Open(t.Context(), "s3://here?region=us-east-1", "photos", blobstore.Config{
			Layout: layout, Records: blobstore.RecordOptions{Bucket: "s3://here?region=us-east-1"},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		for _, key := range []string{"a", "dir/a", "photos/a", "a.md5", "/", "dir/"} {
			record := "photos/" + layout.RecordKey(key, "md5")
			if !store.Bucket().Records.IsRecord(record) {
				t.Errorf("%s: the record %q would get one of its own", template, record)
			}
		}
		// With a bucket of their own, what the user has beside his objects is his.
		if own := layout.RecordKey("dir/a", "md5"); store.Bucket().Records.IsRecord(own) {
			t.Errorf("%s: the user's own %q is not summed", template, own)
		}
	}
}

// Records may also go from S3 to a folder.
func TestRecordsInAFolder(t *testing.T) {
	dir := t.TempDir()
	b := makeBucket(t, awsenv.StartVersitygw(t), false)
	store := b.open(t, blobstore.Config{Records: blobstore.RecordOptions{Bucket: "file://" + dir}})
	o := b.put(t, "dir/a", "content")
	if err := errors.Join(store.Check(t.Context()), store.CheckWritable(), store.CleanUp(t.Context()), store.Bucket().Records.Save(t.Context(), record(o))); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(userKeys(t, dir)), fmt.Sprintf("[%s/dir/a.md5]", b.name); got != want {
		t.Errorf("the folder holds %s, want %s", got, want)
	}
	if keys := b.keys(t); len(keys) != 1 {
		t.Errorf("the bucket holds %q", keys)
	}
}
