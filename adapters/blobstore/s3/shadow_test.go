package s3_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// In a store that keeps objects as files, a folder or another object may be in the way of a record.
func TestShadowedRecord(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	b.Put(t, "a.md5/x", "content")
	b.Put(t, "sums", "content")
	for layout, want := range map[string]string{
		"{key}.{alg}":      `"a.md5" cannot be written because a folder of that name is there`,
		"sums/{key}.{alg}": `"sums/a.md5" cannot be written because an object has the name of a folder`,
	} {
		records := b.Open(t, blobstore.Config{Layout: drivertest.MustLayout(t, layout)}).Bucket().Records
		err := pipelinetest.Save(t.Context(), records, drivertest.SumOf("a", "e1", "01"))
		if pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a permanent error that says %s", layout, err, want)
		}
	}
}

// In such a store, a key that S3 could hold may be too long for a file. Then there is no such object, and the other
// reading of an event's key is the right one.
func TestKeyIsTooLongForAFile(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	b.Put(t, "in/a", "content") // the folder is there
	store := b.Open(t, blobstore.Config{})
	o := drivertest.Object("in/" + strings.Repeat("%E8%A8%98", 30))
	_, stat := store.Stat(t.Context(), o)
	_, open := store.Open(t.Context(), o)
	for name, err := range map[string]error{"Stat": stat, "Open": open} {
		if pipeline.Classify(err) != pipeline.ClassPermanent || !errors.Is(err, pipeline.ErrNotFound) {
			t.Errorf("%s: got %v, want a permanent ErrNotFound", name, err)
		}
	}
	if _, _, err := store.Bucket().Records.Lookup(t.Context(), o); !errors.Is(err, pipeline.ErrNotFound) {
		t.Errorf("Lookup: got %v, want ErrNotFound", err)
	}
}
