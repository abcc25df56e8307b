package events_test

import (
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
	ignored := func(name string) pipeline.Event {
		return pipeline.Event{Name: name, Object: pipeline.Object{Size: unknown}}
	}
	for name, tc := range map[string]struct {
		body string
		want pipeline.Event
	}{
		"foreign source": {`{"detail-type":"Object Created","source":"my.app","detail":"x"}`, ignored("Object Created")},
		"unknown kind":   {`{"detail-type":"Object Dreamt","source":"aws.s3"}`, ignored("Object Dreamt")},
		"bad time": {`{"detail-type":"Object Created","source":"aws.s3","time":17,"detail":{"bucket":{"name":"b"},"object":{"key":"k","size":0}}}`,
			created(pipeline.Object{Bucket: "b", Key: "k"})},
		"nulls and moto's eTag": {`{"detail-type":"Object Created","source":"aws.s3","id":null,"detail":{"bucket":{"name":"b"},"object":{"key":"k","size":null,"eTag":"\"e\"","version-id":null}}}`,
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
		"no detail":          {`"detail":`, `"x":`, "EventBridge: detail is missing"},
		"detail is a list":   {`"detail":{"bucket":{"name":"b"},"object":{"key":"k"}}`, `"detail":[]`, "EventBridge: detail is an array where an object belongs"},
		"detail is null":     {`"detail":{"bucket":{"name":"b"},"object":{"key":"k"}}`, `"detail":null`, "EventBridge: detail.bucket.name is missing"},
		"no bucket":          {`"bucket"`, `"x"`, "EventBridge: detail.bucket.name is missing"},
		"empty bucket":       {`"name":"b"`, `"name":""`, "EventBridge: detail.bucket.name is missing"},
		"no key":             {`"key"`, `"x"`, "EventBridge: detail.object.key is missing"},
		"empty key":          {`"k"`, `""`, "EventBridge: detail.object.key is missing"},
		"key is a number":    {`"k"`, `17`, "EventBridge: detail.object.key is a number where a string belongs"},
		"object is a list":   {`{"key":"k"}`, `[{"key":"k"}]`, "EventBridge: detail.object is an array where an object belongs"},
		"size is a string":   {`{"key"`, `{"size":"5","key"`, "EventBridge: detail.object.size is a string where a whole number belongs"},
		"size is a fraction": {`{"key"`, `{"size":0.5,"key"`, "EventBridge: detail.object.size is a number where a whole number belongs"},
		"size is negative":   {`{"key"`, `{"size":-1,"key"`, "EventBridge: detail.object.size is negative"},
		"half a surrogate":   {`"k"`, `"k\ud83dx"`, "EventBridge: detail.object.key contains half of a surrogate pair"},
		"low half":           {`"k"`, `"\udc8e"`, "EventBridge: detail.object.key contains half of a surrogate pair"},
		"two high halves":    {`"k"`, `"\ud83d\ud83d\udc8e"`, "EventBridge: detail.object.key contains half of a surrogate pair"},
		"source is a list":   {`"aws.s3"`, `[]`, "EventBridge: source is an array where a string belongs"},
		"no detail-type":     {`"Object Created"`, `""`, "EventBridge: detail-type is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.Replace(`{"detail-type":"Object Created","source":"aws.s3",`+detail+`}`, tc.old, tc.new, 1)
			refuses(t, []byte(body), nil, tc.reason)
		})
	}
}

func FuzzEventBridge(f *testing.F) {
	fuzzForm(f, "eventbridge-*", func(t testing.TB, key string) any { return eventBridgeWith(key) })
}
