package blobstore_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

func TestClaimsOfAnyBucket(t *testing.T) {
	sum := md5.Sum([]byte("hello"))
	content := pipeline.Claim{Name: "content-md5", Claim: digest.Claim{Algorithm: "md5", Value: hex.EncodeToString(sum[:])}}
	uploaded := pipeline.Claim{Name: "md5chksum", Claim: digest.Claim{Algorithm: "md5", Value: base64.StdEncoding.EncodeToString(sum[:])}}
	for name, tc := range map[string]struct {
		options  memblob.Options
		metadata map[string]string
		want     []pipeline.Claim
	}{
		"stored":          {want: []pipeline.Claim{content}},
		"by the uploader": {memblob.Options{NoMD5: true}, map[string]string{"Md5chksum": uploaded.Value, "other": "x"}, []pipeline.Claim{uploaded}},
		"both":            {memblob.Options{}, map[string]string{"md5chksum": uploaded.Value}, []pipeline.Claim{uploaded, content}},
		"none":            {memblob.Options{NoMD5: true}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bucket := memblob.OpenBucket(&tc.options)
			if err := bucket.WriteAll(t.Context(), "a", []byte("hello"), &blob.WriterOptions{Metadata: tc.metadata}); err != nil {
				t.Fatal(err)
			}
			store := blobstore.New(memory.New(bucket), "inbox", blobstore.Config{})
			defer store.Close()
			got := drivertest.ClaimsOf(t, store, pipeline.Object{Bucket: "inbox", Key: "a"})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

// A folder makes no claims about its files.
func TestClaimsOfAFolder(t *testing.T) {
	dir := t.TempDir()
	drivertest.WriteFile(t, dir+"/a", "hello")
	if got := drivertest.ClaimsOf(t, drivertest.OpenFolder(t, dir, blobstore.Config{}), pipeline.Object{Bucket: "inbox", Key: "a"}); got != nil {
		t.Errorf("claims %v", got)
	}
}
