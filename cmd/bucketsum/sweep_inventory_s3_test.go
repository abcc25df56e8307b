package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// TestInventoryS3: the inventory of a bucket lies in another one. Its objects get their records, and the second run finds
// them by the ETags of the inventory, which are not those of the objects: the store decides.
func TestInventoryS3(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	server.Setenv(t)
	client := s3.New(s3.Options{
		BaseEndpoint: &server.URL, Region: awsenv.Region, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: awsenv.AccessKey, SecretAccessKey: awsenv.SecretKey}, nil
		}),
	})
	put := func(bucket, key string, content []byte) {
		t.Helper()
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, bucket := range []string{"photos", "lists"} {
		if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
	}
	keys := []string{"a", "b", "c", "d", "e"}
	for _, key := range keys {
		put("photos", key, []byte(key))
	}
	dir := t.TempDir()
	s3Inventory(t, dir, "photos", append(keys, "gone"), 4)
	uploadFolder(t, dir, func(key string, content []byte) error {
		put("lists", key, content)
		return nil
	})
	args := []string{"--inventory", "s3://lists/lists/2026-11-29T01-00Z/manifest.json?use_path_style=true", "--format", "json", "s3://photos?use_path_style=true"}
	for _, state := range []string{"recorded", "ok"} {
		out, log, status := sweepRun(t, append([]string{"backfill"}, args...)...)
		if got := strings.Count(out, `"state":"`+state+`"`); status != exitOK || got != len(keys) {
			t.Errorf("backfill ends with %d; %d are %s, want %d:\n%s%s", status, got, state, len(keys), out, log)
		}
	}
	for _, only := range [][]string{nil, {"--records-only"}} {
		out, log, status := sweepRun(t, append(append([]string{"verify"}, only...), args...)...)
		if got := strings.Count(out, `"state":"ok"`); status != exitOK || got != len(keys) {
			t.Errorf("verify %v ends with %d; %d are ok, want %d:\n%s%s", only, status, got, len(keys), out, log)
		}
	}
}

// uploadFolder puts the files of a folder into a bucket, by their paths.
func uploadFolder(t *testing.T, dir string, put func(key string, content []byte) error) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		key, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return put(filepath.ToSlash(key), content)
	})
	if err != nil {
		t.Fatal(err)
	}
}
