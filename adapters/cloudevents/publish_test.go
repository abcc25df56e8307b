package cloudevents_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	sdk "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// topic is a publisher that keeps the messages.
type topic struct {
	fail     error
	messages []*message.Message
}

func (t *topic) Publish(name string, messages ...*message.Message) error {
	if name != "mem://results" {
		return errors.New("published to " + name)
	}
	if t.fail != nil {
		return t.fail
	}
	t.messages = append(t.messages, messages...)
	return nil
}

func (*topic) Close() error { return nil }

func publisher(t *testing.T, topic *topic, change ...func(*cloudevents.Config)) pipeline.Publisher {
	t.Helper()
	c := cloudevents.Config{
		Publisher: topic, Topic: "mem://results",
		Sources: map[string]string{"photos": "s3://photos"},
	}
	for _, f := range change {
		f(&c)
	}
	p, err := cloudevents.NewPublisher(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// announce publishes a result and returns the event, or nil if there is none. It fails the test
// unless the CloudEvents SDK reads the event and the schema accepts its data.
func announce(t *testing.T, r pipeline.Result, change ...func(*cloudevents.Config)) *sdk.Event {
	t.Helper()
	var topic topic
	if err := publisher(t, &topic, change...)(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if len(topic.messages) == 0 {
		return nil
	}
	return consume(t, topic.messages[0])
}

func consume(t *testing.T, msg *message.Message) *sdk.Event {
	t.Helper()
	var e sdk.Event
	if err := json.Unmarshal(msg.Payload, &e); err != nil {
		t.Fatalf("%v\n%s", err, msg.Payload)
	}
	if err := e.Validate(); err != nil {
		t.Errorf("the SDK refuses the event: %v\n%s", err, msg.Payload)
	}
	if msg.UUID != e.ID() || msg.Metadata.Get("content-type") != "application/cloudevents+json; charset=UTF-8" {
		t.Errorf("message %s with %v", msg.UUID, msg.Metadata)
	}
	data, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.Data()))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema(t).Validate(data); err != nil {
		t.Errorf("the schema refuses the data: %v\n%s", err, msg.Payload)
	}
	return &e
}

// schema returns the schema in the form for producers: it refuses fields that it does not
// describe. Consumers have to ignore such fields.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(cloudevents.Schema))
	if err != nil {
		t.Fatal(err)
	}
	data := doc.(map[string]any)
	data["additionalProperties"] = false
	data["$defs"].(map[string]any)["check"].(map[string]any)["additionalProperties"] = false
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	object = pipeline.Object{Bucket: "photos", Key: "a b/ü.jpg", VersionID: "v1", ETag: "e1", Size: 9, Sequencer: "0A"}
	read   = time.Date(2025, 3, 14, 15, 9, 26, 535_000_000, time.FixedZone("", 3600))
	asked  = pipeline.Event{
		Kind: pipeline.Created, Object: object, ID: "2d4ee3aa", Name: "Object Created", Time: time.Unix(1, 0),
	}
	checks = []pipeline.Check{
		{Name: "etag", Algorithm: "md5", Verdict: digest.Verdict{
			Outcome: digest.Match, Claimed: "25f9e794323b453885f5181f1b624d0b-2", Computed: "25f9e794323b453885f5181f1b624d0b-2"}},
		{Name: "md5chksum", Algorithm: "md5", Verdict: digest.Verdict{Outcome: digest.Unchecked, Reason: `"x" is not a value of md5`}},
	}
)

func recorded() pipeline.Result {
	return pipeline.Result{
		Outcome: pipeline.Recorded, Event: asked, Duration: 1500 * time.Millisecond,
		Record: pipeline.Record{
			Source: object, ComputedAt: read, Checks: checks,
			Digests: map[string]string{"md5": "25f9e794323b453885f5181f1b624d0b", "crc32c": "e3069283"},
		},
	}
}

func TestRecorded(t *testing.T) {
	e := announce(t, recorded())
	if e.Type() != "io.bucketsum.checksum.recorded.v1" || e.Source() != "s3://photos" || e.Subject() != object.Key ||
		e.DataContentType() != "application/json" || !e.Time().Equal(read) || len(e.ID()) != 32 || len(e.Extensions()) != 0 {
		t.Errorf("got %v", e)
	}
	want := `{"bucket":"photos","key":"a b/ü.jpg","version_id":"v1","etag":"e1","size":9,` +
		`"checksums":{"crc32c":"e3069283","md5":"25f9e794323b453885f5181f1b624d0b"},` +
		`"checksums_base64":{"crc32c":"4waSgw==","md5":"JfnnlDI7RTiF9RgfG2JNCw=="},` +
		`"computed_at":"2025-03-14T14:09:26.535Z","duration_seconds":1.5,"source_event_id":"2d4ee3aa",` +
		`"verified_against":[{"claim":"etag","algorithm":"md5","outcome":"match","claimed":"25f9e794323b453885f5181f1b624d0b-2","computed":"25f9e794323b453885f5181f1b624d0b-2"},` +
		`{"claim":"md5chksum","algorithm":"md5","outcome":"unchecked","reason":"\"x\" is not a value of md5"}]}`
	if diff := cmp.Diff(want, string(e.Data())); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}

func TestTypes(t *testing.T) {
	for name, tc := range map[string]struct {
		result pipeline.Result
		keep   bool
		want   string // the type's name; empty if not announced
		data   string // a part of the data
	}{
		"recorded": {result: recorded(), want: "recorded"},
		"current":  {result: with(recorded(), func(r *pipeline.Result) { r.Outcome = pipeline.Current }), want: "recorded"},
		"mismatch": {result: with(recorded(), func(r *pipeline.Result) { r.Outcome, r.Reason = pipeline.Mismatch, "etag says" }),
			want: "mismatch", data: `"recorded":false,"reason":"etag says"`},
		"mismatch that is recorded": {result: with(recorded(), func(r *pipeline.Result) { r.Outcome, r.Reason, r.Saved = pipeline.Mismatch, "etag says", true }),
			want: "mismatch", data: `"recorded":true`},
		"removed": {result: gone(pipeline.Removed), want: "removed", data: `{"bucket":"photos","key":"a b/ü.jpg","version_id":"v1","etag":"e1","source_event_id":"2d4ee3aa"}`},
		// A retry after a failed announcement finds no record to remove.
		"removed before":    {result: gone(pipeline.Kept), want: "removed"},
		"kept as it should": {result: gone(pipeline.Kept), keep: true},
		"failed":            {result: with(gone(pipeline.Failed), func(r *pipeline.Result) { r.Reason = "no room" }), want: "failed", data: `"reason":"no room"`},
		"unknown":           {result: gone("new")},
	} {
		t.Run(name, func(t *testing.T) {
			e := announce(t, tc.result, func(c *cloudevents.Config) { c.KeepRecords = tc.keep })
			if e == nil {
				if tc.want != "" {
					t.Error("not announced")
				}
				return
			}
			if want := "io.bucketsum.checksum." + tc.want + ".v1"; e.Type() != want || !strings.Contains(string(e.Data()), tc.data) || e.Time().IsZero() {
				t.Errorf("got %v", e)
			}
		})
	}
}

func with(r pipeline.Result, change func(*pipeline.Result)) pipeline.Result {
	change(&r)
	return r
}

// gone returns the result for an object that does not exist, or whose event was given up.
func gone(outcome pipeline.Outcome) pipeline.Result {
	return pipeline.Result{Outcome: outcome, Event: asked, Record: pipeline.Record{Source: object}}
}

// TestID asserts that the id is the same for the same result, whichever worker announces it and
// when, and different for every other result.
func TestID(t *testing.T) {
	seen := map[string]string{announce(t, recorded()).ID(): "recorded"}
	for name, change := range map[string]func(*pipeline.Result){
		"found again":       func(r *pipeline.Result) { r.Outcome, r.Duration, r.Record.Checks = pipeline.Current, 0, nil },
		"redelivered":       func(r *pipeline.Result) { r.Event.ID = "another id of EventBridge" },
		"another sequencer": func(r *pipeline.Result) { r.Event.Object.Sequencer = "0B" },
		"another kind":      func(r *pipeline.Result) { r.Event.Kind = pipeline.Restored },
		"another version":   func(r *pipeline.Result) { r.Record.Source.VersionID = "v2" },
		"another ETag":      func(r *pipeline.Result) { r.Record.Source.ETag = "e2" },
		"another key":       func(r *pipeline.Result) { r.Record.Source.Key += "x" },
		"key and version":   func(r *pipeline.Result) { r.Record.Source.Key, r.Record.Source.VersionID = "a b/ü.jpgv", "1" },
		"another bucket":    func(r *pipeline.Result) { r.Record.Source.Bucket = "photo" },
		"mismatch":          func(r *pipeline.Result) { r.Outcome = pipeline.Mismatch },
		"no identity":       func(r *pipeline.Result) { r.Event = pipeline.Event{} },
	} {
		id := announce(t, with(recorded(), change)).ID()
		same := name == "found again" || name == "redelivered"
		if other, ok := seen[id]; ok != same {
			t.Errorf("%s: the id is that of %q: %v, want %v", name, other, ok, same)
		}
		seen[id] = name
	}
}

func TestUnusualNames(t *testing.T) {
	for key, want := range map[string]string{
		"100%.txt":                    "100%.txt",
		"new\nline\x00\x7f\u0085":     "new%0Aline%00%7F%C2%85",
		"\xff/a":                      "%FF/a",
		"\ufdd0\U0001ffff\ufffe":      "%EF%B7%90%F0%9F%BF%BF%EF%BF%BE",
		"<&>\u2028\u202e😀\ufffd":      "<&>\u2028\u202e😀\ufffd",
		strings.Repeat("long/", 2000): strings.Repeat("long/", 2000),
	} {
		r := recorded()
		r.Record.Source.Key = key
		e := announce(t, r)
		var data cloudevents.Data
		if err := e.DataAs(&data); err != nil {
			t.Fatal(err)
		}
		if e.Subject() != want || data.Key != strings.ToValidUTF8(key, "\ufffd") {
			t.Errorf("%q: subject %q, key %q", key, e.Subject(), data.Key)
		}
	}
	r := recorded()
	r.Record.Source.Bucket = "no such/bucket?#"
	if e := announce(t, r); e.Source() != "bucket:no%20such%2Fbucket%3F%23" {
		t.Errorf("source %q", e.Source())
	}
	r.Record.Source = pipeline.Object{Bucket: "photos", Key: "a", Size: pipeline.UnknownSize}
	if e := announce(t, r); strings.Contains(string(e.Data()), "size") || strings.Contains(string(e.Data()), "version_id") {
		t.Errorf("the data has an unknown size or version: %s", e.Data())
	}
}

func TestSourceOf(t *testing.T) {
	for raw, want := range map[string]string{
		"s3://photos?region=eu-west-1&endpoint=http://x": "s3://photos",
		"s3://key:secret@photos":                         "s3://photos",
		"file:///srv/in%20box?no_tmp_dir=true#x":         "file:///srv/in%20box",
		"mem://":                                         "mem://inbox",
		"gs://photos/":                                   "gs://photos/",
		"photos":                                         "",
		"%":                                              "",
	} {
		if got := cloudevents.SourceOf("inbox", raw); got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}

func TestPublishFails(t *testing.T) {
	down := &topic{fail: errors.New("topic is down")}
	if err := publisher(t, down)(t.Context(), recorded()); !errors.Is(err, down.fail) {
		t.Errorf("got %v", err)
	}
	broken := with(recorded(), func(r *pipeline.Result) { r.Record.Digests["md5"] = "x" })
	if err := publisher(t, &topic{})(t.Context(), broken); err == nil {
		t.Error("a malformed checksum was announced")
	}
	if _, err := cloudevents.NewPublisher(cloudevents.Config{}); err == nil || !strings.Contains(err.Error(), "Publisher") || !strings.Contains(err.Error(), "Topic") {
		t.Errorf("empty configuration: %v", err)
	}
}

// TestMessageContext asserts that the message has the handler's context, which ends with the
// lease.
func TestMessageContext(t *testing.T) {
	var topic topic
	ctx, cancel := context.WithCancel(t.Context())
	if err := publisher(t, &topic)(ctx, recorded()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if topic.messages[0].Context().Err() == nil {
		t.Error("the message does not have the handler's context")
	}
}

// TestSchemaRefuses asserts that the schema refuses data that cannot be a result.
func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	for _, data := range []string{
		`[]`, `{}`, `{"bucket":"b"}`, `{"bucket":"b","key":"k","Key":"k"}`, `{"bucket":"b","key":""}`, `{"bucket":"b","key":"k","size":-1}`,
		`{"bucket":"b","key":"k","checksums":{"md5":"XY"}}`, `{"bucket":"b","key":"k","checksums":{}}`,
		`{"bucket":"b","key":"k","checksums_base64":{"md5":"!"}}`, `{"bucket":"b","key":"k","computed_at":"yesterday"}`,
		`{"bucket":"b","key":"k","verified_against":[{}]}`, `{"bucket":"b","key":"k","recorded":"yes"}`,
		`{"bucket":"b","key":"k","verified_against":[{"claim":"etag","algorithm":"md5","outcome":"ok"}]}`,
	} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(doc) == nil {
			t.Errorf("%s is accepted", data)
		}
	}
}
