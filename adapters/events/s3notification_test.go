package events_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

// flower returns the event of the sample in S3's documentation.
func flower(t *testing.T) pipeline.Event {
	return pipeline.Event{
		Kind: pipeline.Created, Name: "ObjectCreated:Put", Time: at(t, "1970-01-01T00:00:00Z"),
		OtherKey: "red+flower.jpg",
		Object: pipeline.Object{Bucket: "mybucket", Key: "red flower.jpg", Size: 1024, ETag: "d41d8cd98f00b204e9800998ecf8427e",
			VersionID: "096fKKXTRTtl3on89fVO.nfljtsv6qko", Sequencer: "0055AED6DCD90281E5"},
	}
}

func TestNotification(t *testing.T) {
	when := at(t, "2024-02-29T11:00:00.5Z")
	event := func(kind pipeline.Kind, name string, o pipeline.Object) pipeline.Event {
		if kind != pipeline.Ignored {
			o.Bucket = "mybucket"
		}
		return pipeline.Event{Kind: kind, Name: name, Time: when, Object: o}
	}
	versitygw := func(kind pipeline.Kind, name string, o pipeline.Object) pipeline.Event {
		o.Bucket = "photos"
		return pipeline.Event{Kind: kind, Name: name, Time: at(t, "2026-11-24T11:32:53Z"), Object: o}
	}
	ceph := func(kind pipeline.Kind, name, key, etag string) pipeline.Event {
		return pipeline.Event{Kind: kind, Name: name, Time: at(t, "2019-11-22T13:47:35.124724Z"),
			Object: pipeline.Object{Bucket: "mybucket1", Key: key, Size: 1024, ETag: etag}}
	}
	lifecycle := event(pipeline.Deleted, "LifecycleExpiration:Delete", pipeline.Object{Key: "expiration/delete", Size: unknown, Sequencer: "3"})
	lifecycle.Time = time.Time{} // the sample's time is malformed
	for name, want := range map[string][]pipeline.Event{
		"s3-notification": {flower(t)},
		"minio-notification": {{
			Kind: pipeline.Created, Name: "s3:ObjectCreated:Put", Time: at(t, "2019-05-20T18:34:31.927Z"), OtherKey: "a%2Fb+c.xml",
			Object: pipeline.Object{Bucket: "mybucket", Key: "a/b c.xml", Size: 1024, ETag: "d41d8cd98f00b204e9800998ecf8427e",
				VersionID: "1", Sequencer: "15A06D1B0DBC7E5B"},
		}},
		// As versitygw 1.8.0 sent them, in messages of one record each.
		"versitygw-notification": {
			alias(versitygw(pipeline.Created, "s3:ObjectCreated:Put", pipeline.Object{Key: "a+b", Size: 5, ETag: "5d41402abc4b2a76b9719d911017c592"}), "a b"),
			alias(versitygw(pipeline.Created, "s3:ObjectCreated:Put", pipeline.Object{Key: "100%20", Size: 5, ETag: "5d41402abc4b2a76b9719d911017c592"}), "100 "),
			versitygw(pipeline.Created, "s3:ObjectCreated:CompleteMultipartUpload",
				pipeline.Object{Key: "multi part", Size: unknown, ETag: "a7d414b9133d6483d9a1c4e04e856e3b-2"}),
			versitygw(pipeline.Deleted, "s3:ObjectRemoved:Delete", pipeline.Object{Key: "with space", Size: unknown}),
			alias(versitygw(pipeline.Deleted, "s3:ObjectRemoved:DeleteObjects", pipeline.Object{Key: "100%20", Size: unknown}), "100 "),
		},
		// Written from Ceph's documentation and source.
		"ceph-notification": {
			alias(ceph(pipeline.Created, "ObjectCreated:Put", "a+b%20c", "37b51edd339215d827a4a1ee9f3e1abf"), "a b c"),
			ceph(pipeline.Created, "ObjectSynced:Create", "synced", "37b51edd339215d827a4a1ee9f3e1abf"),
			ceph(pipeline.Deleted, "ObjectLifecycle:Expiration:Current", "expired", ""),
			{Name: "ObjectLifecycle:Transition:Current", Time: at(t, "2019-11-22T13:47:35.124724Z"), Object: pipeline.Object{Size: unknown}},
		},
		"s3-test-event": {{Name: "s3:TestEvent", Time: at(t, "2014-10-13T15:57:02.089Z"),
			Object: pipeline.Object{Bucket: "bucketname", Size: unknown}}},
		"s3-notification-many-records": {
			alias(event(pipeline.Created, "ObjectCreated:CompleteMultipartUpload", pipeline.Object{
				Key: "a+b%20c ü💎", Size: 0, ETag: "9b2cf535f27731c974343645a3985328-2", Sequencer: "0055AED6DCD90281E5"}),
				"a%2Bb%2520c+%C3%BC%F0%9F%92%8E"),
			event(pipeline.Deleted, "ObjectRemoved:Delete", pipeline.Object{
				Key: "v", Size: unknown, ETag: "d41d8cd98f00b204e9800998ecf8427e", VersionID: "old", Sequencer: "1"}),
			event(pipeline.Deleted, "ObjectRemoved:DeleteMarkerCreated", pipeline.Object{Key: "m", Size: unknown, Sequencer: "2"}),
			lifecycle,
			event(pipeline.Restored, "ObjectRestore:Completed", pipeline.Object{Key: "glacier/x", Size: 5, ETag: "e", VersionID: "v1"}),
			event(pipeline.Ignored, "ObjectRestore:Post", pipeline.Object{Size: unknown}),
			event(pipeline.Ignored, "ObjectTagging:Put", pipeline.Object{Size: unknown}),
			{Name: "Object:NotYetInvented", Object: pipeline.Object{Size: unknown}},
		},
	} {
		t.Run(name, func(t *testing.T) { decodes(t, sample(t, name), nil, want...) })
	}
}

func TestNotificationRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, reason string }{
		"records are an object": {`{"Records":[`, `{"Records":{},"x":[`, "S3 notification: Records is an object where an array belongs"},
		"records are null":      {`{"Records":[`, `{"Records":null,"x":[`, "S3 notification: Records is empty"},
		"no records":            {`{"Records":[`, `{"Records":[],"x":[`, "S3 notification: Records is empty"},
		"record is a list":      {`[{"eventName"`, `[[],{"eventName"`, "S3 notification: Records[0]: an array where an object belongs"},
		"no name":               {`"eventName"`, `"x"`, "S3 notification: Records[0]: eventName is missing"},
		"no s3":                 {`"s3"`, `"x"`, "S3 notification: Records[0]: s3 is missing"},
		"s3 is a string":        {`"s3":{`, `"s3":"","x":{`, "S3 notification: Records[0]: s3 is a string where an object belongs"},
		"no bucket":             {`"name"`, `"x"`, "S3 notification: Records[0]: s3.bucket.name is missing"},
		"no key":                {`"key"`, `"x"`, "S3 notification: Records[0]: s3.object.key is missing"},
		"empty key":             {`"k"`, `""`, "S3 notification: Records[0]: s3.object.key is missing"},
		"half a surrogate":      {`"k"`, `"\udfff"`, "S3 notification: Records[0]: s3.object.key contains half of a surrogate pair"},
		"negative size":         {`"key"`, `"size":-5,"key"`, "S3 notification: Records[0]: s3.object.size is negative"},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`
			refuses(t, []byte(strings.Replace(body, tc.old, tc.new, 1)), nil, tc.reason)
		})
	}
	refuses(t, []byte(`{"Event":""}`), nil, "S3 notification: Event is missing")
	refuses(t, []byte(`{"Event":1}`), nil, "S3 notification: Event is a number where a string belongs")
}

// TestNotificationBadRecords asserts that the events of good records are returned with the
// error.
func TestNotificationBadRecords(t *testing.T) {
	record := func(key string) string {
		return `{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"` + key + `"}}}`
	}
	keys := func(events []pipeline.Event) (keys []string) {
		for _, e := range events {
			keys = append(keys, e.Object.Key)
		}
		return keys
	}
	body := `{"Records":[` + strings.Join([]string{record("a"), record(""), record("b")}, ",") + `]}`
	got := refuses(t, []byte(body), nil, `S3 notification: Records[1]: s3.object.key is missing`)
	if diff := cmp.Diff([]string{"a", "b"}, keys(got)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	body = `{"Records":[{},` + strings.Join([]string{record("a"), record("")}, ",") + `]}`
	wrapped := mustJSON(t, map[string]string{"Type": "Notification", "Message": body})
	got = refuses(t, []byte(wrapped), nil, `SNS: Message: S3 notification: Records[0]: eventName is missing (the first of 2 bad items of 3)`)
	if diff := cmp.Diff([]string{"a"}, keys(got)); diff != "" {
		t.Errorf("keys of the wrapped one (-want +got):\n%s", diff)
	}
}

func FuzzNotification(f *testing.F) {
	fuzzForm(f, "*notification*", func(t testing.TB, key string) any { return notificationWith(key) })
}
