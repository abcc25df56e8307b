package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// TestServeFindsRottenContent changes a byte of an object in the files of an S3 server.
// The object gets no record and a mismatch is published, unless mismatches are recorded.
func TestServeFindsRottenContent(t *testing.T) {
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
	for _, key := range []string{"good", "rotten"} {
		if err := bucket.WriteAll(t.Context(), key, []byte("hello\n"), nil); err != nil {
			t.Fatal(err)
		}
	}
	rotten := filepath.Join(server.Dir, "photos", "rotten")
	file, err := os.OpenFile(rotten, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte("j"), 0); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	queue, resultsURL, dead := memoryQueue("claims-events"), memoryQueue("claims-results"), memoryQueue("claims-dead")
	events, announced := openTopic(t, queue), subscribeResults(t, resultsURL)
	openTopic(t, dead)
	flags := []string{"--queue", queue, "--dead-letter", dead, "--results", resultsURL,
		"--bucket", server.BucketURL("photos")}
	s := serve(t, nil, flags...)
	send(t, events, objectEvent("Object Created", "photos", "good", "01"))
	e, data := announced.next(cloudevents.TypeRecorded)
	if got := fmt.Sprint(data.VerifiedAgainst); e.Source() != "s3://photos" || !strings.Contains(got, "{etag md5 match b1946ac92492d2347c6235b4d2611184 b1946ac92492d2347c6235b4d2611184 }") ||
		!strings.Contains(got, "x-amz-checksum-crc64nvme") {
		t.Errorf("event %s", e)
	}
	if data.VersionID != "" || data.ETag != "b1946ac92492d2347c6235b4d2611184" {
		t.Errorf("event %s", e)
	}
	attributes, err := bucket.Attributes(t.Context(), "good.md5")
	if err != nil {
		t.Fatal(err)
	}
	if m := attributes.Metadata; m["verified"] != "match" || m["verified-against"] != "etag md5, x-amz-checksum-crc64nvme crc64nvme" {
		t.Errorf("metadata of the record: %v", m)
	}

	send(t, events, objectEvent("Object Created", "photos", "rotten", "02"))
	e, data = announced.next(cloudevents.TypeMismatch)
	if data.Key != "rotten" || *data.Recorded || !strings.Contains(data.Reason, "etag says md5 b1946ac9") || len(data.VerifiedAgainst) != 2 ||
		data.VerifiedAgainst[0].Outcome != "mismatch" || data.Checksums["md5"] == "" {
		t.Errorf("event %s", e)
	}
	s.until("level=ERROR", "content is not what its store claims", "key=rotten")
	s.until("level=ERROR", "message dead-lettered")
	if found, err := bucket.Exists(t.Context(), "rotten.md5"); err != nil || found {
		t.Errorf("there is a record: %v, %v", found, err)
	}
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}

	s = serve(t, map[string]string{"BUCKETSUM_ON_MISMATCH": "record"}, flags...)
	send(t, events, objectEvent("Object Created", "photos", "rotten", "03"))
	if e, data := announced.next(cloudevents.TypeMismatch); !*data.Recorded {
		t.Errorf("event %s", e)
	}
	if attributes, err = bucket.Attributes(t.Context(), "rotten.md5"); err != nil {
		t.Fatal(err)
	}
	if m := attributes.Metadata; m["verified"] != "mismatch" || m["mismatch-with"] != "etag md5, x-amz-checksum-crc64nvme crc64nvme" {
		t.Errorf("metadata of the record: %v", m)
	}
	s.stop()
}

func TestFlagsOfResults(t *testing.T) {
	for flag, want := range map[string]string{
		"--results=ftp://x":        `--results: unknown scheme "ftp"`,
		"--record-to=stone":        "--record-to: unknown value \"stone\"; valid are sidecar, tags",
		"--native-checks=maybe":    "--native-checks: unknown value \"maybe\"; valid are on, off",
		"--on-mismatch=delete-all": "--on-mismatch: unknown value \"delete-all\"; valid are dead-letter, record",
	} {
		status, _, stderr := call(t, nil, "serve", "--queue", "mem://q", "--bucket", "b=mem://", flag)
		if status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %s", flag, status, stderr)
		}
	}
}
