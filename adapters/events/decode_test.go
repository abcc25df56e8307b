package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/pipeline"
)

// unknown is pipeline.UnknownSize, short enough for tables.
const unknown = pipeline.UnknownSize

func sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// decodes asserts that a message decodes to these events.
func decodes(t *testing.T, body []byte, attributes map[string]string, want ...pipeline.Event) {
	t.Helper()
	got, err := events.Decode(body, attributes)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// alias returns the event with another reading of its key.
func alias(e pipeline.Event, key string) pipeline.Event {
	e.OtherKey = key
	return e
}

// refuses asserts that a message is a permanent error with this reason. It returns the events
// that came with the error.
func refuses(t *testing.T, body []byte, attributes map[string]string, reason string) []pipeline.Event {
	t.Helper()
	got, err := events.Decode(body, attributes)
	if pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Fatalf("%q is of class %q, want permanent; events: %v", err, pipeline.Classify(err), got)
	}
	if want := "event: " + reason; err.Error() != want {
		t.Errorf("reason\n got %s\nwant %s", err, want)
	}
	return got
}

func TestDecodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ body, reason string }{
		"nothing":           {"", "the body is empty"},
		"whitespace":        {" \t\r\n ", "the body is empty"},
		"text":              {"hello", "not JSON at byte 1: invalid character 'h' looking for beginning of value"},
		"truncated":         {`{"Records":[{"eventName":"Obj`, "not JSON at byte 29: unexpected end of JSON input"},
		"trailing data":     {`{"Records":[]}{}`, "not JSON at byte 15: invalid character '{' after top-level value"},
		"null":              {`null`, "unknown form: a JSON object without fields"},
		"number":            {`17`, "a number where an object belongs"},
		"string":            {`"x"`, "a string where an object belongs"},
		"bool":              {`true`, "a bool where an object belongs"},
		"no fields":         {`{}`, "unknown form: a JSON object without fields"},
		"foreign":           {`{"b":1,"a":{"Records":[]}}`, `unknown form: a JSON object with the fields "a", "b"`},
		"foreign and large": {`{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1}`, `unknown form: a JSON object with the fields "1", "2", "3", "4", "5", …`},
		"many fields":       {"{" + manyFields(51) + "}", "unknown form: a JSON object with 51 fields"},
		"large name":        {`{"` + strings.Repeat("é", 5000) + `":1}`, `unknown form: a JSON object with the fields "` + strings.Repeat("é", 10) + `…"`},
		"not UTF-8":         {"{\"detail-type\":\"Object Created\",\"x\":\"\xff\"}", "the body is not UTF-8"},
		"too large":         {strings.Repeat(" ", 1<<20) + "{}", "the body has 1048578 bytes, more than the limit of 1048576"},
		"list of numbers":   {`[1,2]`, "batch[0]: a number where an object belongs (the first of 2 bad items of 2)"},
		"list of lists":     {`[[{}]]`, "batch[0]: an array where an object belongs"},
		"null detail-type":  {`{"detail-type":null,"x":1}`, `unknown form: a JSON object with the fields "detail-type", "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := refuses(t, []byte(tc.body), nil, tc.reason); len(got) != 0 {
				t.Errorf("events beside the error: %v", got)
			}
		})
	}
}

func manyFields(n int) string {
	fields := make([]string, n)
	for i := range fields {
		fields[i] = fmt.Sprintf(`"%d":1`, i)
	}
	return strings.Join(fields, ",")
}

// TestDecodeHostile decodes bodies of the largest allowed size that are made to cost time or
// stack. It measures no time: decoding that is worse than linear would exceed the deadline of
// the test run.
func TestDecodeHostile(t *testing.T) {
	const size = 1 << 20
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	wrapped := `{"detail-type":"Object Created"`
	for range 60 {
		wrapped = mustJSON(t, map[string]string{"Type": "Notification", "Message": wrapped})
		if len(wrapped) > size/3 {
			break
		}
	}
	for name, body := range map[string]string{
		"brackets":               fill("["),
		"closed brackets":        strings.Repeat("[", size/2) + strings.Repeat("]", size/2),
		"braces":                 fill("{"),
		"objects in objects":     fill(`{"detail":`),
		"brackets in a record":   `{"Records":[` + fill("[")[:size-20],
		"empty records":          `{"Records":[` + strings.Repeat("{},", 300_000) + `{}]}`,
		"records of brackets":    `{"Records":[` + strings.Repeat(deep+",", 50) + `{}]}`,
		"quotes":                 `{"Type":"Notification","Message":"` + strings.Repeat(`\"`, size/2-50) + `"}`,
		"wrapped many times":     wrapped,
		"a number of all digits": `{"detail-type":"Object Created","source":"aws.s3","detail":{"object":{"size":` + strings.Repeat("9", size-200) + `}}}`,
		"escapes":                `{"detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"b"},"object":{"key":"` + strings.Repeat(`\ud83d\udc8e`, 80_000) + `\ud83d"}}}`,
		"percent":                `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"` + strings.Repeat("%25", 300_000) + `%"}}}]}`,
		"many fields":            "{" + manyFields(90_000) + "}",
		"list of empty objects":  "[" + strings.Repeat("{},", 300_000) + "{}]",
	} {
		t.Run(name, func(t *testing.T) {
			if len(body) > size {
				t.Fatalf("the body has %d bytes, so that only the size limit is tested", len(body))
			}
			_, err := events.Decode([]byte(body), nil)
			if pipeline.Classify(err) != pipeline.ClassPermanent {
				t.Fatalf("class %q, want permanent", pipeline.Classify(err))
			}
			if len(err.Error()) > 300 {
				t.Errorf("the reason has %d bytes and quotes the payload: %.300s", len(err.Error()), err)
			}
		})
	}
}

// TestDecodeDeepUnknownField asserts that an unknown field is skipped, however deeply nested
// (the JSON decoder has a limit of 10,000).
func TestDecodeDeepUnknownField(t *testing.T) {
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	body := `{"detail-type":"Object Created","source":"aws.s3","novel":` + deep + `,"detail":{"bucket":{"name":"b"},"object":{"key":"k"}}}`
	decodes(t, []byte(body), nil,
		pipeline.Event{Kind: pipeline.Created, Name: "Object Created", Object: pipeline.Object{Bucket: "b", Key: "k", Size: unknown}})
}

// TestDecodeCutsNames asserts that names that only people read are cut to a limit and stay
// UTF-8.
func TestDecodeCutsNames(t *testing.T) {
	for name, want := range map[string]string{
		strings.Repeat("a", 80):         "ObjectTagging:" + strings.Repeat("a", 80),
		strings.Repeat("é", 3000):       "ObjectTagging:" + strings.Repeat("é", 43) + "…",
		"a" + strings.Repeat("é", 3000): "ObjectTagging:a" + strings.Repeat("é", 42) + "…",
	} {
		decodes(t, []byte(mustJSON(t, object{"eventName": "ObjectTagging:" + name, "s3": 1})), nil,
			pipeline.Event{Name: want, Object: pipeline.Object{Size: unknown}})
	}
	refuses(t, nil, map[string]string{"eventType": "OBJECT_" + strings.Repeat("\x80", 300)}, "GCS: events of the type \"OBJECT_\uFFFD\" are not read")
	refuses(t, []byte(mustJSON(t, object{"detail-type": strings.Repeat("é", 3000), "source": "my.app"})), nil,
		`EventBridge: events of the source "my.app" with the detail-type "`+strings.Repeat("é", 30)+`…" are not read`)
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkFuzzed asserts what is true of the result for every message.
func checkFuzzed(t *testing.T, body []byte, attributes map[string]string) {
	t.Helper()
	bodyBefore, attributesBefore := bytes.Clone(body), maps.Clone(attributes)
	got, err := events.Decode(body, attributes)
	if !bytes.Equal(body, bodyBefore) || !maps.Equal(attributes, attributesBefore) {
		t.Error("the message was changed")
	}
	if err != nil {
		if pipeline.Classify(err) != pipeline.ClassPermanent {
			t.Errorf("%v is of class %q", err, pipeline.Classify(err))
		}
		if text := err.Error(); len(text) > 500 || !strings.HasPrefix(text, "event: ") || !utf8.ValidString(text) {
			t.Errorf("reason %q", text)
		}
	} else if len(got) == 0 {
		t.Error("neither events nor an error")
	}
	for _, e := range got {
		o := e.Object
		if e.Kind == pipeline.Sweep && (o.Bucket != e.Shard.Bucket || e.Shard.Validate() != nil) {
			t.Errorf("shard %+v of bucket %q", e.Shard, o.Bucket)
		}
		if e.Kind != pipeline.Ignored && e.Kind != pipeline.Sweep && (o.Bucket == "" || o.Key == "" || !utf8.ValidString(o.Bucket) || !utf8.ValidString(o.Key)) {
			t.Errorf("%v names no object: %q %q", e.Kind, o.Bucket, o.Key)
		}
		if e.Time.Location() != time.UTC || o.Size < unknown || strings.HasPrefix(o.ETag, `"`) || len(e.Name) > 110 || e.Name == "" {
			t.Errorf("event %#v", e)
		}
	}
	again, errAgain := events.Decode(body, attributes)
	if diff := cmp.Diff(got, again); diff != "" || (err == nil) != (errAgain == nil) {
		t.Errorf("decoded twice, %v and %v:\n%s", err, errAgain, diff)
	}
}

// fuzzForm fuzzes one form: whole bodies, and keys for which build returns a body.
func fuzzForm(f *testing.F, pattern string, build func(t testing.TB, key string) any) {
	samples, err := filepath.Glob(filepath.Join("testdata", pattern+".json"))
	if err != nil || len(samples) == 0 {
		f.Fatal(err, samples)
	}
	keys := []string{"key", "a+b%20c ü", "dir/ \\\"\n", "💎\uFFFD", "%", "/blobs/"}
	for i, path := range samples {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, keys[i%len(keys)])
	}
	f.Fuzz(func(t *testing.T, body []byte, key string) {
		checkFuzzed(t, body, nil)
		if key == "" || !utf8.ValidString(key) || len(key) > pipeline.MaxKey {
			return
		}
		got, err := events.Decode([]byte(mustJSON(t, build(t, key))), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0].Object.Key != key || got[0].Kind != pipeline.Created {
			t.Errorf("key %q came out as %#v", key, got)
		}
	})
}

type object = map[string]any

func eventBridgeWith(key string) object {
	return object{"detail-type": "Object Created", "source": "aws.s3", "detail": object{
		"bucket": object{"name": "b"}, "object": object{"key": key}}}
}

func notificationWith(key string) object {
	return object{"Records": []any{object{"eventName": "s3:ObjectCreated:Put", "s3": object{
		"bucket": object{"name": "b"}, "object": object{"key": url.QueryEscape(key)}}}}}
}

func FuzzDecode(f *testing.F) {
	samples, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for i, path := range samples {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, "", "", "", "")
		if i == 0 {
			f.Add(body, "OBJECT_FINALIZE", "b", "k", "17")
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, eventType, bucket, key, generation string) {
		checkFuzzed(t, body, nil)
		checkFuzzed(t, body, map[string]string{
			"eventType": eventType, "bucketId": bucket, "objectId": key, "objectGeneration": generation,
		})
	})
}

func BenchmarkDecode(b *testing.B) {
	records := make([]any, 1000)
	for i := range records {
		records[i] = object{
			"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-west-2", "eventName": "ObjectCreated:Put",
			"eventTime":         "2024-01-01T00:00:00.000Z",
			"userIdentity":      object{"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
			"requestParameters": object{"sourceIPAddress": "127.0.0.1"},
			"responseElements":  object{"x-amz-request-id": "C3D13FE58DE4C810"},
			"s3": object{"s3SchemaVersion": "1.0", "bucket": object{"name": "mybucket", "arn": "arn:aws:s3:::mybucket"},
				"object": object{"key": fmt.Sprintf("dir+%d/file.bin", i), "size": i, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": "0055AED6DCD90281E5"}},
		}
	}
	for name, body := range map[string][]byte{
		"EventBridge":             sample(b, "eventbridge-object-created"),
		"Notification1000Records": []byte(mustJSON(b, object{"Records": records})),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := events.Decode(body, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
