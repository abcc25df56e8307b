package s3_test

import (
	"context"
	"fmt"
	"log"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
)

// A bucket on S3, or on a store that speaks its protocol, with its records in another bucket.
func ExampleDriver() {
	ctx := context.Background()
	drivers := blobstore.Drivers{s3.Driver(s3.Options{RequesterPays: true})}
	store, err := drivers.Open(ctx, "s3://photos?region=eu-central-1", "photos", blobstore.Config{
		Algorithms: []string{"md5", "sha256"},
		Records:    blobstore.RecordOptions{Bucket: "s3://checksums?region=eu-central-1"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if err := store.Check(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("both buckets can be used")
}
