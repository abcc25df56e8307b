package events_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/pipeline"
)

func TestShard(t *testing.T) {
	want := pipeline.Event{
		Kind: pipeline.Sweep, Object: pipeline.Object{Bucket: "photos", Size: unknown},
		Shard: &pipeline.Shard{Pass: "20261130-134500", Bucket: "photos", After: "2025/a b.jpg", Through: "2026/ü.jpg"},
		ID:    "66f1a8a8b8ffb1b6f4c0a7f4dbcd0a2b", Name: "io.bucketsum.sweep.shard.v1", Time: time.Date(2026, 11, 30, 13, 45, 1, 0, time.UTC),
	}
	body := sample(t, "bucketsum-shard")
	decodes(t, body, nil, want)
	decodes(t, []byte(mustJSON(t, object{"Type": "Notification", "Message": string(body)})), nil, want)

	want.Shard = &pipeline.Shard{Pass: "p", Bucket: "b"}
	want.Object.Bucket, want.ID, want.Time = "b", "", time.Time{}
	shard := func(data string) []byte {
		return fmt.Appendf(nil, `{"specversion":"1.0","type":"io.bucketsum.sweep.shard.v1","data":%s}`, data)
	}
	decodes(t, shard(`{"pass":"p","bucket":"b"}`), nil, want)

	want.Shard = &pipeline.Shard{Pass: "p", Bucket: "b", After: "a\xe4", Through: "b\xff"}
	decodes(t, shard(`{"pass":"p","bucket":"b","after":"a\ufffd","after_base64":"YeQ=","through":"b\ufffd","through_base64":"Yv8="}`), nil, want)

	long := strings.Repeat("k", pipeline.MaxPosition+1)
	for name, tc := range map[string]struct{ data, says string }{
		"no data":             {`null`, `data: pass ""`},
		"no object":           {`"p"`, `data is a string where an object belongs`},
		"no pass":             {`{"bucket":"b"}`, `data: pass ""`},
		"path as a pass":      {`{"pass":"../p","bucket":"b"}`, `data: pass "../p"`},
		"long pass":           {`{"pass":"` + long + `","bucket":"b"}`, `data: pass "` + long[:100] + `"`},
		"no bucket":           {`{"pass":"p"}`, `data: "" is not the name of a bucket`},
		"long bucket":         {`{"pass":"p","bucket":"` + long + `"}`, `data: "` + long[:100] + `" is not the name of a bucket`},
		"long position":       {`{"pass":"p","bucket":"b","after":"` + long + `"}`, "data: after has 8193 bytes, more than the limit of 8192"},
		"empty range":         {`{"pass":"p","bucket":"b","after":"m","through":"a"}`, "data: the range ends before it begins"},
		"number":              {`{"pass":"p","bucket":"b","after":1}`, "data.after is a number where a string belongs"},
		"half a character":    {`{"pass":"p","bucket":"b","after":"\ud800"}`, "data contains half of a surrogate pair"},
		"field of the future": {`{"pass":"p","bucket":"b","rows":"1-9"}`, "data has a field that is not read: the message is of a newer version"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(tc.says, "data: pass") {
				tc.says += ": a name has 1 to 63 lower-case letters, digits, hyphens and underscores, and begins with a letter or digit"
			}
			refuses(t, shard(tc.data), nil, "CloudEvents: "+tc.says)
		})
	}
	refuses(t, []byte(`{"specversion":"1.0","type":"io.bucketsum.sweep.shard.v1"}`), nil, "CloudEvents: data is missing")
	refuses(t, []byte(`{"specversion":"1.0","type":"io.bucketsum.sweep.shard.v2","data":{}}`), nil, `CloudEvents: events of the type "io.bucketsum.sweep.shard.v2" are not read`)
	refuses(t, []byte(`{"eventType":"io.bucketsum.sweep.shard.v1","data":{"pass":"p","bucket":"b"}}`), nil, `Event Grid: events of the type "io.bucketsum.sweep.shard.v1" are not read`)
}

// FuzzShard: what cloudevents.ShardMessage sends is decoded as it was, also if a position is not UTF-8.
func FuzzShard(f *testing.F) {
	f.Add("photos", "2025/a b.jpg", "2026/ü.jpg")
	f.Add("b", "\x00\"\\", "\uFFFD")
	f.Add("b", "\a\xe1", "\xef\xef\xbd")
	f.Add("\\ud800", "a\xff\\ud800", "")
	f.Fuzz(func(t *testing.T, bucket, after, through string) {
		want := pipeline.Shard{Pass: "p", Bucket: bucket, After: after, Through: through}
		msg, err := cloudevents.ShardMessage(t.Context(), want)
		if err != nil {
			return
		}
		got, err := events.Decode(msg.Payload, msg.Metadata)
		if err != nil || len(got) != 1 || *got[0].Shard != want {
			t.Errorf("%+v came out as %+v, %v", want, got, err)
		}
	})
}
