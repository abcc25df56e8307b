package cloudevents_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/pipeline"
)

func TestShardMessage(t *testing.T) {
	s := pipeline.Shard{Pass: "20261130-134500", Bucket: "photos", After: "2025/a b.jpg", Through: "2026/ü.jpg"}
	msg, err := cloudevents.ShardMessage(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(msg.Payload, &got); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.RFC3339, got["time"].(string)); err != nil {
		t.Error(err)
	}
	id := got["id"]
	delete(got, "time")
	delete(got, "id")
	want := map[string]any{
		"specversion": "1.0", "source": "bucket:photos", "type": "io.bucketsum.sweep.shard.v1", "subject": "20261130-134500",
		"datacontenttype": "application/json",
		"data":            map[string]any{"pass": "20261130-134500", "bucket": "photos", "after": "2025/a b.jpg", "through": "2026/ü.jpg"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if msg.Metadata.Get("bucketsum.tenant") != "20261130-134500" || msg.Metadata.Get("content-type") != cloudevents.ContentType {
		t.Errorf("metadata is %v", msg.Metadata)
	}
	again, err := cloudevents.ShardMessage(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(again.Payload, &got); err != nil || got["id"] != id || again.UUID == msg.UUID {
		t.Errorf("sent again: %v, event %s, before %s; message %s, before %s", err, got["id"], id, again.UUID, msg.UUID)
	}
}

// TestShardMessageRefuses shows that no message is sent that a worker would refuse.
func TestShardMessageRefuses(t *testing.T) {
	for name, s := range map[string]pipeline.Shard{
		"no pass":       {Bucket: "b"},
		"no bucket":     {Pass: "p"},
		"not UTF-8":     {Pass: "p", Bucket: "\xff"},
		"long position": {Pass: "p", Bucket: "b", Through: strings.Repeat("k", pipeline.MaxPosition+1)},
		"empty range":   {Pass: "p", Bucket: "b", After: "m", Through: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			if msg, err := cloudevents.ShardMessage(t.Context(), s); err == nil {
				t.Errorf("got %s, want an error", msg.Payload)
			}
		})
	}
}

// TestShardMessageBytes: positions in a folder need not be UTF-8, and a worker gets their bytes.
func TestShardMessageBytes(t *testing.T) {
	msg, err := cloudevents.ShardMessage(t.Context(), pipeline.Shard{Pass: "p", Bucket: "b", After: "a\xe4", Through: "b\xff"})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Data struct {
			After   []byte `json:"after_base64"`
			Through []byte `json:"through_base64"`
		}
	}
	if err := json.Unmarshal(msg.Payload, &got); err != nil || string(got.Data.After) != "a\xe4" || string(got.Data.Through) != "b\xff" {
		t.Errorf("got %s, %v", msg.Payload, err)
	}
}

// TestShardMessageFits: the message of the longest positions is one that every queue takes, also if JSON must escape all their
// bytes.
func TestShardMessageFits(t *testing.T) {
	for _, odd := range []string{"\x01", "\xff"} {
		s := pipeline.Shard{Pass: strings.Repeat("p", 63), Bucket: strings.Repeat("\x01", pipeline.MaxBucketName)}
		s.After, s.Through = strings.Repeat(odd, pipeline.MaxPosition), strings.Repeat(odd, pipeline.MaxPosition)
		msg, err := cloudevents.ShardMessage(t.Context(), s)
		if err != nil || len(msg.Payload) > 250<<10 {
			t.Errorf("got %d bytes, %v; want 250 KiB at most", len(msg.Payload), err)
		}
	}
}
