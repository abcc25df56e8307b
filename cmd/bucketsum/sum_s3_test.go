package main

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	s3driver "github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/coreutils"
)

// TestSumS3 sums a prefix on S3 where objects have records of bucketsum and checksum
// files of others beside them. It must skip only the records.
func TestSumS3(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	server.Setenv(t)
	client := s3.New(s3.Options{
		BaseEndpoint: &server.URL, Region: awsenv.Region, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: awsenv.AccessKey, SecretAccessKey: awsenv.SecretKey}, nil
		}),
	})
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("objects")}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "dir/a b", "dir/c", "dir/foreign.md5"} {
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("objects"), Key: &key, Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
	bucket, err := bucketDrivers(s3driver.Options{}).Open(t.Context(), server.BucketURL("objects"), "b", blobstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	o, err := bucket.Stat(t.Context(), pipeline.Object{Bucket: "b", Key: "dir/c", Size: pipeline.UnknownSize})
	if err != nil {
		t.Fatal(err)
	}
	if err := pipelinetest.Save(t.Context(), bucket.Bucket().Records, pipeline.Record{Source: o, Digests: map[string]string{"md5": sumMD5OfX}}); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server.BucketURL("objects"))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/dir/"
	u.RawQuery = "use_path_style=true"
	got := sumRun(t, "", u.String(), "s3://objects/nosuch?use_path_style=true", "s3://objects/a?use_path_style=true")
	want := coreutils.Result{
		Stdout: sumMD5OfX + "  dir/a b\n" + sumMD5OfX + "  dir/c\n" + sumMD5OfX + "  dir/foreign.md5\n" +
			sumMD5OfX + "  s3://objects/a?use_path_style=true\n",
		Stderr: "bucketsum sum: s3://objects/nosuch: no such object\n",
		Status: exitFailed,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
