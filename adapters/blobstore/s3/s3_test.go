package s3_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	s3driver "github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestMain(m *testing.M) { drivertest.Main(m) }

func TestStore(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	t.Run("by ETag", func(t *testing.T) {
		pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
			return drivertest.MakeS3Bucket(t, server, false).Harness(blobstore.Layout{})
		})
	})
	t.Run("by version", func(t *testing.T) {
		pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
			b := drivertest.MakeS3Bucket(t, server, true)
			h := b.Harness(drivertest.MustLayout(t, "{dir}/.sums/{base}.{alg}"))
			h.Versions = true
			h.Delete = b.Erase
			return h
		})
	})
	t.Run("records apart", func(t *testing.T) {
		pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
			return drivertest.MakeS3Bucket(t, server, false).Apart(drivertest.MakeS3Bucket(t, server, true), drivertest.MustLayout(t, "checksums/{key}.{alg}"))
		})
	})
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for raw, says := range map[string]string{
		"s3://":                              "s3://NAME",
		"s3://bucket/prefix?region=x":        "s3://NAME",
		"s3://bucket?nosuch=1":               "nosuch",
		"s3://bucket?use_path_style=perhaps": "use_path_style",
	} {
		if _, err := drivertest.Drivers.Open(t.Context(), raw, "b", blobstore.Config{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error that says %q", raw, err, says)
		}
	}
	for says, c := range map[string]blobstore.Config{
		"records of bucket": {Records: blobstore.RecordOptions{Bucket: "nosuch://x"}},
		"takes no KMS key":  {Records: blobstore.RecordOptions{Bucket: "file://" + dir, RecordOptions: driver.RecordOptions{KMSKey: "k"}}},
	} {
		if _, err := drivertest.Drivers.Open(t.Context(), "s3://bucket?region=us-east-1", "b", c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
	}
	short := blobstore.Drivers{s3driver.Driver(s3driver.Options{CustomerKey: []byte("short")})}
	if _, err := short.Open(t.Context(), "s3://bucket?region=us-east-1", "b", blobstore.Config{}); err == nil || !strings.Contains(err.Error(), "32 bytes") {
		t.Errorf("got %v, want an error about the length of the key", err)
	}
	if store, err := drivertest.Drivers.Open(t.Context(), "s3://bucket?region=us-east-1&ssetype=AES256&accelerate=true&dualstack=true", "b", blobstore.Config{}); err != nil {
		t.Error(err)
	} else if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// A record never becomes work, whatever the names of the buckets are and even if both are one.
func TestNoRecordOfARecord(t *testing.T) {
	for _, template := range []string{blobstore.DefaultLayout, "checksums/{key}.{alg}", "{dir}/.sums/{base}.{alg}"} {
		layout := drivertest.MustLayout(t, template)
		store, err := drivertest.Drivers.Open(t.Context(), "s3://here?region=us-east-1", "photos", blobstore.Config{
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

// Records of objects on S3 may be in a folder.
func TestRecordsInAFolder(t *testing.T) {
	dir := t.TempDir()
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	store := b.Open(t, blobstore.Config{Records: blobstore.RecordOptions{Bucket: "file://" + dir}})
	o := b.Put(t, "dir/a", "content")
	if err := errors.Join(store.Check(t.Context()), store.CheckWritable(), store.CleanUp(t.Context()), pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.Record(o))); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(drivertest.UserKeys(t, dir)), fmt.Sprintf("[%s/dir/a.md5]", b.Name); got != want {
		t.Errorf("the folder holds %s, want %s", got, want)
	}
	if keys := b.Keys(t); len(keys) != 1 {
		t.Errorf("the bucket holds %q", keys)
	}
}
