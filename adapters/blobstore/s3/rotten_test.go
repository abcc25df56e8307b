package s3_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// One byte of the file changes without the server's knowledge: every claim is a mismatch.
func TestS3ClaimsOfRottenContent(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	store, guarded := b.Open(t, blobstore.Config{CallerVerifies: true}), b.Open(t, blobstore.Config{})
	for _, o := range []pipeline.Object{
		b.Put(t, "single", "hello"),
		b.Put(t, "sha256", "hello", checksum(types.ChecksumAlgorithmSha256)),
		weakly(t, b, "parts", minPart, minPart, 99),
		multipart(t, b, "composite", types.ChecksumAlgorithmSha1, types.ChecksumTypeComposite, minPart, 99),
		multipart(t, b, "whole", types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject, minPart, 99),
	} {
		for name, outcome := range outcomes(t, store, o) {
			if outcome != digest.Match {
				t.Errorf("%s: %s is a %s before anything happens", o.Key, name, outcome)
			}
		}
		flip(t, filepath.Join(b.Dir, b.Name, o.Key))
		got := outcomes(t, store, o)
		for name, outcome := range got {
			if outcome != digest.Mismatch {
				t.Errorf("%s: %s is a %s", o.Key, name, outcome)
			}
		}
		if len(got) == 0 {
			t.Errorf("%s: no claims", o.Key)
		}
		// A caller that does not verify gets an error if the store keeps a checksum of the
		// whole.
		_, _, err := drivertest.ReadObject(t, guarded, o)
		if told := o.Key != "composite"; told != (err != nil && strings.Contains(err.Error(), "checksum did not match")) {
			t.Errorf("%s: read with %v", o.Key, err)
		}
	}
}

// flip changes one bit in the middle of a file.
func flip(t *testing.T, name string) {
	t.Helper()
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	bit := []byte{0}
	_, err = file.ReadAt(bit, info.Size()/2)
	bit[0] ^= 1
	_, werr := file.WriteAt(bit, info.Size()/2)
	if err := errors.Join(err, werr, file.Close()); err != nil {
		t.Fatal(err)
	}
}
