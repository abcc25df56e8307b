package cloudevents_test

import (
	"context"
	"encoding/json"
	"testing"
	"unicode"
	"unicode/utf8"

	sdk "github.com/cloudevents/sdk-go/v2/event"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/pipeline"
)

// FuzzResult announces results whose every text comes from an event. Each must be a valid
// CloudEvent that names the same object.
func FuzzResult(f *testing.F) {
	f.Add("photos", "a.jpg", "v1", "etag", "01", "id", "reason")
	f.Add("", "\x00\r\n\u2028", "\xff", "\"", "\x7f", "\ufdd0", "\ufffe")
	f.Add("a/../b", "💎%ü", "", "", "", "", "<script>")
	f.Fuzz(func(t *testing.T, bucket, key, version, etag, sequencer, id, reason string) {
		if key == "" {
			return // no event has it
		}
		o := pipeline.Object{Bucket: bucket, Key: key, VersionID: version, ETag: etag, Sequencer: sequencer, Size: pipeline.UnknownSize}
		r := pipeline.Result{Outcome: pipeline.Failed, Record: pipeline.Record{Source: o}, Event: pipeline.Event{Object: o, ID: id}, Reason: reason}
		to := &topic{}
		if err := publisher(t, to)(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		body := to.messages[0].Payload
		var e sdk.Event
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if err := e.Validate(); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if !utf8.Valid(body) {
			t.Errorf("%q is not UTF-8", body)
		}
		for _, c := range e.Subject() {
			if unicode.IsControl(c) {
				t.Errorf("the subject is %q", e.Subject())
			}
		}
		var d cloudevents.Data
		if err := e.DataAs(&d); err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(key) && d.Key != key || utf8.ValidString(bucket) && d.Bucket != bucket {
			t.Errorf("%q in %q is announced as %q in %q", key, bucket, d.Key, d.Bucket)
		}
	})
}
