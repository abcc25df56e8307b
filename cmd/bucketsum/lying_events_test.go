package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// TestLyingEvents sends events of several senders through a worker to a real store. What an event
// says of an object's identity is wrong, and the record is right all the same.
func TestLyingEvents(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	server.Setenv(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	queue := "mem://lying-" + rand.Text()
	events := openTopic(t, queue)
	s := serve(t, nil, "--queue", queue, "--bucket", b.Address())
	// notified is an event in the form of S3's notifications, with these fields of the object.
	notified := func(source string, object map[string]any) string {
		body, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
			"eventVersion": "2.1", "eventSource": source, "eventTime": "2026-03-04T05:06:07.000Z", "eventName": "ObjectCreated:Put",
			"s3": map[string]any{"s3SchemaVersion": "1.0", "bucket": map[string]any{"name": b.Name}, "object": object},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	n := 0
	// check puts an object, sends an event of it, and expects its record.
	check := func(key string, event string) {
		t.Helper()
		n++
		content := fmt.Sprint("content ", n)
		b.Put(t, key, content)
		send(t, events, event)
		quoted := key
		if strings.ContainsAny(key, ` "=`) {
			quoted = fmt.Sprintf("%q", key)
		}
		s.until("object handled", "outcome=recorded", "key="+quoted+" ")
		if record, _ := b.Get(t, key+".md5"); !strings.HasPrefix(record, sumOf([]byte(content))+" ") {
			t.Errorf("the record of %q is %q after %s", key, record, event)
		}
	}
	type object = map[string]any
	check("x+y.bin", notified("storj:s3", object{"key": "x+y.bin", "size": 9, "versionId": "00bb", "sequencer": "2A"}))
	check("50% off.txt", notified("storj:s3", object{"key": "50% off.txt", "size": 9}))
	check("p+q%20r", notified("scality:s3", object{"key": "p+q%20r", "size": "9", "eTag": nil, "versionId": nil, "sequencer": nil}))
	check("cut", notified("aws:s3", object{"key": "cut", "size": 9, "eTag": "0123456789abcdef0123456789"}))
	check("upper", notified("aws:s3", object{"key": "upper", "size": 9, "eTag": "0123456789ABCDEF0123456789ABCDEF"}))
	check("numbered", notified("aws:s3", object{"key": "numbered", "size": 9, "versionId": "7"}))
	for _, sequencer := range []string{"18A0B1C2D3E4F500", "0073A00B99ED518571", "01"} { // the store was migrated
		check("moved", notified("aws:s3", object{"key": "moved", "size": 9, "sequencer": sequencer}))
	}
	check("with space.jpg", `{"cloudEventsVersion":"0.1","eventID":"2","eventType":"com.oraclecloud.objectstorage.createobject","source":"objectstorage",`+
		`"eventTypeVersion":"1.0","eventTime":"2026-03-04T05:06:07.000Z","data":{"resourceName":"with space.jpg","additionalDetails":{"eTag":"c4","bucketName":"`+b.Name+`"}}}`)
	check("deep/with space", `{"specversion":"1.0","type":"google.cloud.storage.object.v1.finalized","source":"//storage.googleapis.com/projects/_/buckets/`+b.Name+
		`","subject":"objects/deep/with space","id":"2","time":"2026-03-04T05:06:07.000Z","data":{"bucket":"`+b.Name+`","name":"deep/with space","generation":"16","size":"3"}}`)
	// Any mutation of what identifies a version.
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for i := range 60 {
		values := []any{nil, "", "1", "null", 0, -1, "9", 1 << 40, "FFFFFFFFFFFFFFFF", strings.Repeat("0", 32), `"quoted"`, "&quot;e&quot;", i}
		o := object{"key": fmt.Sprint("mutated-", i%20)}
		for _, field := range []string{"size", "eTag", "versionId", "sequencer"} {
			if v := values[random.IntN(len(values))]; random.IntN(3) > 0 {
				o[field] = v
			}
		}
		check(o["key"].(string), notified([]string{"aws:s3", "ceph:s3", "minio:s3"}[random.IntN(3)], o))
	}
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
}
