package events_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestEventBridge(t *testing.T) {
	when := at(t, "2021-11-12T00:00:00Z")
	event := func(kind pipeline.Kind, name, id string, o pipeline.Object) pipeline.Event {
		o.Bucket = "amzn-s3-demo-bucket1"
		return pipeline.Event{Kind: kind, Name: name, ID: id, Time: when, Object: o}
	}
	const createdID, deletedID = "17793124-05d4-b198-2fde-7ededc63b103", "2ee9cc15-d022-99ea-1fb8-1b1bac4850f9"
	for name, want := range map[string]pipeline.Event{
		"eventbridge-object-created": event(pipeline.Created, "Object Created", createdID, pipeline.Object{
			Key: "example-key", Size: 5, ETag: "b1946ac92492d2347c6235b4d2611184",
			VersionID: "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", Sequencer: "617f08299329d189"}),
		"eventbridge-odd-key-minimal": alias(event(pipeline.Created, "Object Created", createdID, pipeline.Object{
			Key: "år 2024/a+b%20c 💎.bin", Size: unknown, Sequencer: "617f08299329d189"}), "år 2024/a b c 💎.bin"),
		// The marker's version and ETag are not those of the object.
		"eventbridge-object-deleted": event(pipeline.Deleted, "Object Deleted", deletedID, pipeline.Object{
			Key: "example-key", Size: unknown, Sequencer: "617f0837b476e463"}),
		"eventbridge-version-deleted": event(pipeline.Deleted, "Object Deleted", deletedID, pipeline.Object{
			Key: "example-key", Size: unknown, Sequencer: "617f0837b476e463",
			VersionID: "1QW9g1Z99LUNbvaaYVpW9xDlOLU.qxgF", ETag: "d41d8cd98f00b204e9800998ecf8427e"}),
		"eventbridge-unversioned-deleted": event(pipeline.Deleted, "Object Deleted", deletedID, pipeline.Object{
			Key: "example-key", Size: unknown, Sequencer: "617f0837b476e463"}),
		"eventbridge-restore-completed": event(pipeline.Restored, "Object Restore Completed", "6924de0d-13e2-6bbf-c0c1-b903b753565e", pipeline.Object{
			Key: "example-key", Size: 5, ETag: "b1946ac92492d2347c6235b4d2611184", VersionID: "KKsjUC1.6gIjqtvhfg5AdMI0eCePIiT3"}),
		"eventbridge-tags-added": {Kind: pipeline.Ignored, Name: "Object Tags Added", ID: createdID, Time: when, Object: pipeline.Object{Size: unknown}},
	} {
		t.Run(name, func(t *testing.T) { decodes(t, sample(t, name), nil, want) })
	}
}

func TestEventBridgeVariants(t *testing.T) {
	created := func(o pipeline.Object) pipeline.Event {
		return pipeline.Event{Kind: pipeline.Created, Name: "Object Created", Object: o}
	}
	for name, tc := range map[string]struct {
		body string
		want pipeline.Event
	}{
		"bad time": {`{"detail-type":"Object Created","source":"aws.s3","time":17,"detail":{"bucket":{"name":"b"},"object":{"key":"k","size":0}}}`,
			created(pipeline.Object{Bucket: "b", Key: "k"})},
		"nulls and moto's eTag": {`{"detail-type":"Object Created","source":"aws.s3","id":null,"detail":{"bucket":{"name":"b"},"object":{"key":"k","size":null,"eTag":"\"e\"","version-id":null}}}`,
			created(pipeline.Object{Bucket: "b", Key: "k", ETag: "e", Size: unknown})},
		"numbers as text, text as numbers": {`{"detail-type":"Object Created","source":"aws.s3","id":8,"detail":{"bucket":{"name":"b"},"object":{"key":"k","size":"78","etag":90,"version-id":12,"sequencer":34}}}`,
			withID(created(pipeline.Object{Bucket: "b", Key: "k", ETag: "90", VersionID: "12", Sequencer: "34", Size: 78}), "8")},
		"sizes that are none, and nonsense": {`{"detail-type":"Object Created","source":"aws.s3","id":[],"detail":{"bucket":{"name":"b"},"object":{"key":"k","size":0.5,"etag":{},"version-id":true,"sequencer":[1]}}}`,
			created(pipeline.Object{Bucket: "b", Key: "k", Size: unknown})},
		"negative size": {`{"detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"b"},"object":{"key":"k","size":-1}}}`,
			created(pipeline.Object{Bucket: "b", Key: "k", Size: unknown})},
		"ETag in HTML": {`{"detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"b"},"object":{"key":"k","etag":"&quot;e&#34;"}}}`,
			created(pipeline.Object{Bucket: "b", Key: "k", ETag: "e", Size: unknown})},
		"weak ETag": {`{"detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"b"},"object":{"key":"k","etag":"W/\"e\""}}}`,
			created(pipeline.Object{Bucket: "b", Key: "k", ETag: "e", Size: unknown})},
		"surrogate pair, replacement character": {`{"detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"b"},"object":{"key":"\ud83d\udc8e\\ud83d\ufffd�"}}}`,
			created(pipeline.Object{Bucket: "b", Key: `💎\ud83d` + "��", Size: unknown})},
	} {
		t.Run(name, func(t *testing.T) { decodes(t, []byte(tc.body), nil, tc.want) })
	}
}

func TestEventBridgeRefuses(t *testing.T) {
	const detail = `"detail":{"bucket":{"name":"b"},"object":{"key":"k"}}`
	for name, tc := range map[string]struct{ old, new, reason string }{
		"no detail":        {`"detail":`, `"x":`, "EventBridge: detail is missing"},
		"detail is a list": {`"detail":{"bucket":{"name":"b"},"object":{"key":"k"}}`, `"detail":[]`, "EventBridge: detail is an array where an object belongs"},
		"detail is null":   {`"detail":{"bucket":{"name":"b"},"object":{"key":"k"}}`, `"detail":null`, "EventBridge: detail.bucket.name is missing"},
		"no bucket":        {`"bucket"`, `"x"`, "EventBridge: detail.bucket.name is missing"},
		"empty bucket":     {`"name":"b"`, `"name":""`, "EventBridge: detail.bucket.name is missing"},
		"no key":           {`"key"`, `"x"`, "EventBridge: detail.object.key is missing"},
		"empty key":        {`"k"`, `""`, "EventBridge: detail.object.key is missing"},
		"key is a number":  {`"k"`, `17`, "EventBridge: detail.object.key is a number where a string belongs"},
		"object is a list": {`{"key":"k"}`, `[{"key":"k"}]`, "EventBridge: detail.object is an array where an object belongs"},
		"half a surrogate": {`"k"`, `"k\ud83dx"`, "EventBridge: detail.object.key contains half of a surrogate pair"},
		"low half":         {`"k"`, `"\udc8e"`, "EventBridge: detail.object.key contains half of a surrogate pair"},
		"two high halves":  {`"k"`, `"\ud83d\ud83d\udc8e"`, "EventBridge: detail.object.key contains half of a surrogate pair"},
		"source is a list": {`"aws.s3"`, `[]`, "EventBridge: source is an array where a string belongs"},
		"foreign source":   {`"aws.s3"`, `"my.app"`, `EventBridge: events of the source "my.app" with the detail-type "Object Created" are not read`},
		"unknown kind":     {`Created`, `Dreamt`, `EventBridge: events of the source "aws.s3" with the detail-type "Object Dreamt" are not read`},
		"no detail-type":   {`"Object Created"`, `""`, "EventBridge: detail-type is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.Replace(`{"detail-type":"Object Created","source":"aws.s3",`+detail+`}`, tc.old, tc.new, 1)
			refuses(t, []byte(body), nil, tc.reason)
		})
	}
}

// TestEventBridgeDetail decodes details without their events, as input transformers and Pipes send them.
func TestEventBridgeDetail(t *testing.T) {
	o := pipeline.Object{Bucket: "b", Key: "1+1%", Size: 17, ETag: "e", VersionID: "v", Sequencer: "00A1"}
	event := func(kind pipeline.Kind, name string, change func(*pipeline.Object)) pipeline.Event {
		e := pipeline.Event{Kind: kind, Name: name, Object: o}
		if change != nil {
			change(&e.Object)
		}
		return e
	}
	for name, tc := range map[string]struct {
		more string
		want pipeline.Event
	}{
		"put":                {`"reason":"PutObject"`, event(pipeline.Created, "PutObject", nil)},
		"unknown reason":     {`"reason":"MoveObject"`, event(pipeline.Created, "MoveObject", nil)},
		"no reason":          {`"requester":"1"`, event(pipeline.Created, "detail", nil)},
		"null reason":        {`"reason":null`, event(pipeline.Created, "detail", nil)},
		"deletion":           {`"reason":"DeleteObject","deletion-type":"Permanently Deleted"`, event(pipeline.Deleted, "DeleteObject", nil)},
		"expiration":         {`"reason":"Lifecycle Expiration"`, event(pipeline.Deleted, "Lifecycle Expiration", nil)},
		"marker":             {`"reason":"DeleteObject","deletion-type":"Delete Marker Created"`, event(pipeline.Deleted, "DeleteObject", func(o *pipeline.Object) { o.VersionID, o.ETag = "", "" })},
		"restored":           {`"restore-expiry-time":"2021-11-13T00:00:00Z","source-storage-class":"GLACIER"`, event(pipeline.Restored, "detail", nil)},
		"deletion type only": {`"deletion-type":"Permanently Deleted"`, event(pipeline.Deleted, "detail", nil)},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"version":"0","bucket":{"name":"b"},"object":{"key":"1+1%","size":17,"etag":"e","version-id":"v","sequencer":"00A1"},` + tc.more + `}`
			decodes(t, []byte(body), nil, tc.want)
			decodes(t, []byte("["+body+"]"), nil, tc.want)
			queued := object{"messageId": "m", "receiptHandle": "h", "body": body, "attributes": object{"SentTimestamp": "1"}, "messageAttributes": object{}, "eventSource": "aws:sqs"}
			decodes(t, []byte(mustJSON(t, queued)), nil, tc.want)
			queued["body"] = json.RawMessage(body)
			decodes(t, []byte(mustJSON(t, []any{queued})), nil, tc.want)
		})
	}
	refuses(t, []byte(`{"bucket":{},"object":{"key":"k"}}`), nil, "EventBridge: detail.bucket.name is missing")
	refuses(t, []byte(`{"bucket":{"name":"b"},"object":{}}`), nil, "EventBridge: detail.object.key is missing")
	refuses(t, []byte(`{"messageId":"m","body":"hello"}`), nil, "SQS: body: not JSON at byte 1: invalid character 'h' looking for beginning of value")
	refuses(t, []byte(`{"messageId":"m","body":"\ud800"}`), nil, "SQS: body contains half of a surrogate pair")
}

func withID(e pipeline.Event, id string) pipeline.Event {
	e.ID = id
	return e
}

func FuzzEventBridge(f *testing.F) {
	fuzzForm(f, "eventbridge-*", func(t testing.TB, key string) any { return eventBridgeWith(key) })
}
