package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/pipeline"
)

// full repeats an item in a list until the body has 1 MiB, the largest that is decoded.
func full(start, item, end string) []byte {
	n := (1<<20 - len(start) - len(end) + 1) / (len(item) + 1)
	return []byte(start + strings.Repeat(item+",", n-1) + item + end)
}

// hostileBodies are bodies of 1 MiB that are made to cost memory.
func hostileBodies(t testing.TB) map[string][]byte {
	cloudTrail := `{"detail-type":"AWS API Call via CloudTrail","source":"aws.s3","detail":{"eventName":"DeleteObjects","eventSource":"s3.amazonaws.com",` +
		`"requestParameters":{"bucketName":"b"},"resources":[`
	inner := mustJSON(t, object{"Records": []int{}})
	return map[string][]byte{
		"records":              full(`{"Records":[`, `{}`, `]}`),
		"records of numbers":   full(`{"Records":[`, `1`, `]}`),
		"batch":                full(`[`, `{}`, `]`),
		"batch of records":     full(`[`, `{"Records":[{},{},{},{},{},{},{},{}]}`, `]`),
		"cloud event":          full(`{"specversion":"1.0","type":"x","data":{"Records":[`, `{}`, `]}}`),
		"base64":               full(`{"specversion":"1.0","type":"google.cloud.storage.object.v1.finalized","data_base64":"`, `AAAA`, `"}`),
		"OSS":                  full(`{"events":[`, `{}`, `]}`),
		"queued":               full(`{"messageId":"m","body":"{\"Records\":[`, `{}`, `]}"}`),
		"long ETag":            full(`{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"eTag":"`, `&quot;`, `","key":"k"}}}]}`),
		"batch of numbers":     full(`[`, `1`, `]`),
		"resources":            full(cloudTrail, `{}`, `]}}`),
		"fields":               full(`{`, `"":1`, `}`),
		"named fields":         full(`{`, `"abc":1`, `}`),
		"attributes":           full(`{"message":{"attributes":{`, `"":""`, `}}}`),
		"wrapped":              full(`{"Type":"Notification","Message":"{\"Records\":[`, `{}`, `]}"}`),
		"brackets":             full(`{"Records":[`, `[[[[[[[[]]]]]]]]`, `]}`),
		"escapes":              full(`{"Records":["`, `\u0000`, `"]}`),
		"spaces":               append(bytes.Repeat([]byte(" "), 1<<20-len(inner)), inner...),
		"long key":             full(`{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"`, `a`, `"}}}]}`),
		"unknown event bridge": full(`{"detail-type":"x","detail":[`, `{}`, `]}`),
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestDecodeAllocatesInProportion decodes large bodies. The memory for it must be a small
// multiple of the body, because a worker may decode a body for each slot at the same time.
func TestDecodeAllocatesInProportion(t *testing.T) {
	for name, body := range hostileBodies(t) {
		t.Run(name, func(t *testing.T) {
			if len(body) > 1<<20 || len(body) < 1<<20-100 {
				t.Fatalf("the body has %d bytes, want about 1 MiB", len(body))
			}
			var err error
			got := allocated(func() { _, err = events.Decode(body, nil) })
			t.Logf("%d KiB allocated, %.2f of the body: %.200v", got>>10, float64(got)/float64(len(body)), err)
			if most := uint64(6 * len(body)); got > most {
				t.Errorf("%d bytes allocated, want at most %d", got, most)
			}
		})
	}
}

// TestDecodeMostItems decodes lists of as many items as are allowed, and refuses one more.
func TestDecodeMostItems(t *testing.T) {
	const most = 10_000
	record := mustJSON(t, object{"eventName": "s3:ObjectCreated:Put", "s3": object{"bucket": object{"name": "b"}, "object": object{"key": "k"}}})
	blob := mustJSON(t, object{"eventType": "Microsoft.Storage.BlobCreated", "subject": "/blobServices/default/containers/b/blobs/k", "data": object{}})
	for name, tc := range map[string]struct{ start, item, end, reason string }{
		"S3 notification": {`{"Records":[`, record, `]}`, "S3 notification: Records has more than 10000 items"},
		"Event Grid":      {`[`, blob, `]`, "batch has more than 10000 items"},
		"CloudTrail": {`{"detail-type":"AWS API Call via CloudTrail","source":"aws.s3","detail":{"eventName":"DeleteObjects","eventSource":"s3.amazonaws.com",` +
			`"requestParameters":{"bucketName":"b"},"resources":[`, `{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/k"}`, `]}}`, "CloudTrail: detail.resources has more than 10000 items"},
	} {
		t.Run(name, func(t *testing.T) {
			list := strings.Repeat(tc.item+",", most-1) + tc.item
			if name == "Event Grid" { // 10,000 of its items do not fit
				refuses(t, []byte(tc.start+strings.Repeat(`{},`, most)+`{}`+tc.end), nil, tc.reason)
				return
			}
			got, err := events.Decode([]byte(tc.start+list+tc.end), nil)
			if err != nil || len(got) != most {
				t.Fatalf("%d events, %v", len(got), err)
			}
			if got := refuses(t, []byte(tc.start+list+","+tc.item+tc.end), nil, tc.reason); len(got) > 0 {
				t.Errorf("%d events beside the error", len(got))
			}
		})
	}
	// The limit is for the whole message.
	half := `{"Records":[` + strings.Repeat(record+",", most/2-1) + record + `]}`
	if got := refuses(t, []byte("["+half+","+half+"]"), nil, "S3 notification: Records has more than 10000 items"); len(got) > 0 {
		t.Errorf("%d events beside the error", len(got))
	}
	attributes := make(map[string]string)
	for i := range 101 {
		attributes[fmt.Sprint(i)] = ""
	}
	refuses(t, []byte(mustJSON(t, object{"message": object{"attributes": attributes}})), nil, "Pub/Sub: it has more than 100 attributes")
}

// TestDecodeLengths asserts that names and identifiers are limited, and that the other events of
// the message are returned.
func TestDecodeLengths(t *testing.T) {
	for field, tc := range map[string]struct {
		most   int
		change func(bucket, object object, value string)
	}{
		"bucket's name": {pipeline.MaxBucketName, func(b, _ object, v string) { b["name"] = v }},
		"key":           {pipeline.MaxKey, func(_, o object, v string) { o["key"] = v }},
	} {
		t.Run(field, func(t *testing.T) {
			record := func(n int) object {
				b, o := object{"name": "b"}, object{"key": "k"}
				tc.change(b, o, strings.Repeat("a", n))
				return object{"eventName": "ObjectCreated:Put", "s3": object{"bucket": b, "object": o}}
			}
			body := mustJSON(t, object{"Records": []any{record(tc.most), record(tc.most + 1)}})
			reason := fmt.Sprintf("the %s has %d bytes, more than the limit of %d", field, tc.most+1, tc.most)
			if got := refuses(t, []byte(body), nil, reason); len(got) != 1 {
				t.Errorf("%d events beside the error, want 1", len(got))
			}
		})
	}
	// An identifier that is too long is none: the store is asked.
	for n, want := range map[int]string{1024: strings.Repeat("a", 1024), 1025: ""} {
		long := strings.Repeat("a", n)
		body := mustJSON(t, object{"detail-type": "Object Created", "source": "aws.s3", "id": long, "detail": object{
			"bucket": object{"name": "b"}, "object": object{"key": "k", "etag": long, "version-id": long, "sequencer": long}}})
		decodes(t, []byte(body), nil, pipeline.Event{Kind: pipeline.Created, Name: "Object Created", ID: want,
			Object: pipeline.Object{Bucket: "b", Key: "k", ETag: want, VersionID: want, Sequencer: want, Size: unknown}})
	}
}

// FuzzScan compares the scanner of objects and lists with encoding/json: the names of fields
// that tell the form, and the number of items, decide how a message is read.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{}`, `[]`, ` [ 1 , "a,]\"" , {"b":[2]} ] `, `{"a" : 1,"b\u002c":{"c":"}"} , "d":[[],[]]}`, `null`, `"[1]"`, `{"":""}`, "[\"\\\\\",\n1]"} {
		f.Add([]byte(seed))
	}
	for _, body := range hostileBodies(f) {
		f.Add(body[:200])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) || !utf8.Valid(body) { // others are refused before
			return
		}
		var list []json.RawMessage
		_ = json.Unmarshal(body, &list) // none for other values
		i := 0
		var fields map[string]json.RawMessage
		isObject := json.Unmarshal(body, &fields) == nil
		if !isObject {
			for part := range events.Parts(body) {
				if i >= len(list) || !bytes.Equal(part, list[i]) {
					t.Fatalf("item %d is %q, want those of %q", i, part, list)
				}
				i++
			}
			if i != len(list) {
				t.Fatalf("%d items, want %d", i, len(list))
			}
			return
		}
		got := make(map[string]json.RawMessage)
		for name, value := range events.Members(body) {
			got[string(name)] = value
		}
		if len(got) != len(fields) {
			t.Fatalf("fields %q, want %q", got, fields)
		}
		for name, value := range fields {
			if !bytes.Equal(got[name], value) {
				t.Fatalf("field %q is %q, want %q", name, got[name], value)
			}
		}
	})
}
