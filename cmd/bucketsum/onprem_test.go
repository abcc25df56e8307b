package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// hasEvents are the schemes of the queues to which versitygw can send events.
var hasEvents = []string{"jetstream", "kafka", "amqp"}

// eventsOf returns the flags that make versitygw send its events to a queue.
func eventsOf(t *testing.T, queue string) []string {
	t.Helper()
	u, err := url.Parse(queue)
	if err != nil {
		t.Fatal(err)
	}
	switch name := strings.TrimPrefix(u.Path, "/"); u.Scheme {
	case "jetstream":
		return []string{"--event-nats-url", "nats://" + u.Host, "--event-nats-topic", name}
	case "kafka":
		return []string{"--event-kafka-url", u.Host, "--event-kafka-topic", name}
	case "amqp":
		return []string{"--event-rabbitmq-url", "amqp://" + u.Host + "/", "--event-rabbitmq-routing-key", u.Query().Get("queue")}
	}
	return nil
}

// store is a bucket on versitygw with a worker that receives its events.
type store struct {
	*queueFlow
	bucket *blob.Bucket
	client *s3.Client
}

// testOnPremises follows an object without AWS: versitygw sends an event to the queue,
// and the worker writes the record to versitygw, which sends an event for that, too.
func testOnPremises(t *testing.T, b queueServer) {
	f := newFlow(t, b.urls(t, "onprem"))
	server := awsenv.StartVersitygwIn(t, awsenv.Region, eventsOf(t, f.urls.queue)...)
	if err := os.Mkdir(filepath.Join(server.Dir, f.bucket), 0o777); err != nil {
		t.Fatal(err)
	}
	f.url = server.BucketURL(f.bucket)
	s := &store{queueFlow: f}
	var err error
	if s.bucket, err = blob.OpenBucket(t.Context(), f.url); err != nil {
		t.Fatal(err)
	}
	defer s.bucket.Close()
	if !s.bucket.As(&s.client) {
		t.Fatal("no client")
	}

	want := make(map[string][]byte)
	// An event whose key was overwritten (see heard) may report the deletion of an object
	// that never existed.
	f.stray = func(o outcome) bool {
		_, is := want[o.key]
		return o.kind == cloudevents.TypeRemoved && !is
	}
	f.start()
	for _, key := range []string{
		"with space", "a+b", "100%20", "100%", "ünïcödé ☃ 文件", "deep/er/key", "q?x=y#z", "~!$&'()*,;=:@", `back\slash`, "empty",
	} {
		want[key] = contentOf(key)
		if key == "empty" {
			want[key] = nil
		}
		s.put(key, want[key])
	}
	for i := range 20 { // versitygw's sequencers have more digits from the sixteenth on
		want["overwritten"] = contentOf(fmt.Sprint("overwritten ", i))
		s.put("overwritten", want["overwritten"])
	}
	want["in parts + 1"] = append(bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16), "the rest"...)
	s.putParts("in parts + 1", want["in parts + 1"][:5<<20], want["in parts + 1"][5<<20:])
	want["co py"] = want["a+b"]
	s.copy("a+b", "co py", want["a+b"])
	s.hold(want)

	gone := []string{"with space", "a+b", "100%20", "in parts + 1"}
	s.delete(gone[0], gone[1:])
	for _, key := range gone {
		delete(want, key)
	}
	f.until("reading of our own records", func() bool { return f.urls.left(t, f.urls.queue) == 0 })
	f.stop()
	s.hold(want)
	if f.logged("a+b.md5 is a checksum record itself") == 0 {
		t.Error("no event came for bucketsum's own records")
	}
}

// heard waits for the results of keys. versitygw 1.8.0 reads the key of an event while the
// next request on the same connection may overwrite it. Therefore each request waits for
// the event of the previous one.
func (s *store) heard(kind, md5 string, keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		s.wantResults[outcome{kind, s.queueFlow.bucket, key, md5}] = true
	}
	s.queueFlow.heard()
}

func (s *store) put(key string, content []byte) {
	s.t.Helper()
	_, err := s.client.PutObject(s.t.Context(), &s3.PutObjectInput{Bucket: &s.queueFlow.bucket, Key: &key, Body: bytes.NewReader(content)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.heard(cloudevents.TypeRecorded, sumOf(content), key)
}

func (s *store) putParts(key string, parts ...[]byte) {
	s.t.Helper()
	uploadParts(s.t, s.client, s.queueFlow.bucket, key, parts...)
	s.heard(cloudevents.TypeRecorded, sumOf(bytes.Join(parts, nil)), key)
}

// uploadParts uploads an object in parts.
func uploadParts(t *testing.T, client *s3.Client, bucket, key string, parts ...[]byte) {
	t.Helper()
	ctx := t.Context()
	begun, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	var done types.CompletedMultipartUpload
	for i, part := range parts {
		n := aws.Int32(int32(i + 1))
		up, err := client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &bucket, Key: &key, UploadId: begun.UploadId, PartNumber: n, Body: bytes.NewReader(part),
		})
		if err != nil {
			t.Fatal(err)
		}
		done.Parts = append(done.Parts, types.CompletedPart{ETag: up.ETag, PartNumber: n})
	}
	if _, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &bucket, Key: &key, UploadId: begun.UploadId, MultipartUpload: &done,
	}); err != nil {
		t.Fatal(err)
	}
}

func (s *store) copy(from, to string, content []byte) {
	s.t.Helper()
	source := s.queueFlow.bucket + "/" + strings.ReplaceAll(url.PathEscape(from), "+", "%2B")
	if _, err := s.client.CopyObject(s.t.Context(), &s3.CopyObjectInput{Bucket: &s.queueFlow.bucket, Key: &to, CopySource: &source}); err != nil {
		s.t.Fatal(err)
	}
	s.heard(cloudevents.TypeRecorded, sumOf(content), to)
}

// delete deletes one object, and others in one request.
func (s *store) delete(one string, others []string) {
	s.t.Helper()
	if _, err := s.client.DeleteObject(s.t.Context(), &s3.DeleteObjectInput{Bucket: &s.queueFlow.bucket, Key: &one}); err != nil {
		s.t.Fatal(err)
	}
	s.heard(cloudevents.TypeRemoved, "", one)
	var objects types.Delete
	for _, key := range others {
		objects.Objects = append(objects.Objects, types.ObjectIdentifier{Key: &key})
	}
	if _, err := s.client.DeleteObjects(s.t.Context(), &s3.DeleteObjectsInput{Bucket: &s.queueFlow.bucket, Delete: &objects}); err != nil {
		s.t.Fatal(err)
	}
	s.heard(cloudevents.TypeRemoved, "", others...)
}

// hold expects these objects and the right record of each in the bucket, and nothing
// else.
func (s *store) hold(want map[string][]byte) {
	s.t.Helper()
	ctx := s.t.Context()
	left := make(map[string]bool)
	for key, content := range want {
		left[key], left[key+".md5"] = true, true
		record, err := s.bucket.ReadAll(ctx, key+".md5")
		if err != nil || !strings.HasPrefix(strings.TrimPrefix(string(record), `\`), sumOf(content)+"  ") {
			s.t.Errorf("the record of %q is %q, %v; want %s", key, record, err, sumOf(content))
		}
	}
	for objects := s.bucket.List(nil); ; {
		o, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if !left[o.Key] {
			s.t.Errorf("%q is in the bucket", o.Key)
		}
		delete(left, o.Key)
	}
	if len(left) > 0 {
		s.t.Errorf("%v are not in the bucket", left)
	}
}
