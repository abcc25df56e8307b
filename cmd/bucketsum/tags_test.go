package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// TestServeRecordsToTags expects the checksum as a tag of the object. An object with the
// key of a sidecar is summed, too.
func TestServeRecordsToTags(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	server.Setenv(t)
	if err := os.Mkdir(filepath.Join(server.Dir, "photos"), 0o777); err != nil {
		t.Fatal(err)
	}
	bucket, err := blob.OpenBucket(t.Context(), server.BucketURL("photos"))
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	var client *s3.Client
	if !bucket.As(&client) {
		t.Fatal("no client")
	}
	queue := memoryQueue("tags-events")
	events := openTopic(t, queue)
	s := serve(t, nil, "--queue", queue, "--bucket", server.BucketURL("photos"), "--record-to", "tags")
	for i, key := range []string{"a", "a.md5"} {
		if err := bucket.WriteAll(t.Context(), key, []byte("hello\n"), nil); err != nil {
			t.Fatal(err)
		}
		for j, want := range []string{"outcome=recorded", "outcome=current"} {
			send(t, events, objectEvent("Object Created", "photos", key, fmt.Sprint(i, j)))
			s.until("object handled", want, "key="+key)
		}
		out, err := client.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String("photos"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		tags := make(map[string]string)
		for _, tag := range out.TagSet {
			tags[*tag.Key] = *tag.Value
		}
		if tags["bucketsum:md5"] != "b1946ac92492d2347c6235b4d2611184" || !strings.Contains(tags["bucketsum:verified"], "etag/md5=match") {
			t.Errorf("tags of %s: %v", key, tags)
		}
	}
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	if got := filesIn(t, filepath.Join(server.Dir, "photos")); len(got) != 2 {
		t.Errorf("objects %q", got)
	}
}
