package s3_test

import (
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
