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
		},
	} {
		t.Run(name, func(t *testing.T) { decodes(t, sample(t, name), nil, want...) })
	}
}

func TestNotificationRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, reason string }{
		"records are an object": {`{"Records":[`, `{"Records":{},"x":[`, "S3 notification: Records is an object where an array belongs"},
		"record is a list":      {`[{"eventName"`, `[[],{"eventName"`, "S3 notification: Records[0]: an array where an object belongs"},
		"no name":               {`"eventName"`, `"x"`, "S3 notification: Records[0]: eventName is missing"},
		"no s3":                 {`"s3"`, `"x"`, "S3 notification: Records[0]: s3 is missing"},
		"s3 is a string":        {`"s3":{`, `"s3":"","x":{`, "S3 notification: Records[0]: s3 is a string where an object belongs"},
		"no bucket":             {`"name"`, `"x"`, "S3 notification: Records[0]: s3.bucket.name is missing"},
		"no key":                {`"key"`, `"x"`, "S3 notification: Records[0]: s3.object.key is missing"},
		"empty key":             {`"k"`, `""`, "S3 notification: Records[0]: s3.object.key is missing"},
		"half a surrogate":      {`"k"`, `"\udfff"`, "S3 notification: Records[0]: s3.object.key contains half of a surrogate pair"},
		"unknown name":          {`ObjectCreated:Put`, `Object:NotYetInvented`, `S3 notification: Records[0]: events of the name "Object:NotYetInvented" are not read`},
		"unknown operation":     {`ObjectCreated:Put`, `s3:Replication:Dreamt`, `S3 notification: Records[0]: events of the name "s3:Replication:Dreamt" are not read`},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`
			refuses(t, []byte(strings.Replace(body, tc.old, tc.new, 1)), nil, tc.reason)
		})
	}
	refuses(t, []byte(`{"Event":""}`), nil, "S3 notification: Event is missing")
	refuses(t, []byte(`{"Event":"s3:Dream"}`), nil, `S3 notification: Event is "s3:Dream", which is not read`)
	refuses(t, []byte(`{"Event":1}`), nil, "S3 notification: Event is a number where a string belongs")
}

// TestCeph decodes what a real RGW sent, one notification a message; here they are a list. The events whose time
// is not one are of writes that RGW refused for their condition: only the store can tell.
func TestCeph(t *testing.T) {
	row := func(kind pipeline.Kind, name, when, bucket, key, other, version, etag string, size int64) pipeline.Event {
		e := pipeline.Event{Kind: kind, Name: name, OtherKey: other, Object: pipeline.Object{Bucket: bucket, Key: key, VersionID: version, ETag: etag, Size: size}}
		if when != "" {
			e.Time = at(t, when)
		}
		return e
	}
	decodes(t, sample(t, "ceph-rgw"), nil,
		row(pipeline.Created, "ObjectCreated:CompleteMultipartUpload", "2026-11-29T11:09:32.587135Z", "photos", "mp three", "", "", "d5aaca6f719d1d259c30104f3bd5bb29-3", 16777293),
		row(pipeline.Created, "ObjectCreated:Copy", "2026-11-29T11:09:55.038320Z", "photos", "copy+of mp", "copy of mp", "", "e3cbb82b181b1fa794401e32e6abe45d-3", 16777293),
		row(pipeline.Created, "ObjectCreated:Put", "2026-11-29T11:06:52.482616Z", "photos", "empty", "", "", "d41d8cd98f00b204e9800998ecf8427e", unknown),
		row(pipeline.Created, "ObjectCreated:Put", "2026-11-29T11:06:52.428582Z", "photos", "nl\nnewline", "", "", "dff6126e0df0242b9da67effecbf5a2c", 10),
		row(pipeline.Created, "ObjectCreated:Put", "2026-11-29T11:06:52.249890Z", "photos", "100%20", "100 ", "", "d5f2c23b4e2ddd8fa4d6a5ad72265330", 9),
		row(pipeline.Created, "ObjectCreated:Put", "2026-11-29T11:06:52.233929Z", "photos", "a+b", "a b", "", "6685cd62b95f2c58818cb20e7292168b", 9),
		row(pipeline.Created, "ObjectCreated:Put", "", "photos", "over.md5", "", "", "83bd07d61983af9bc6daa98cc48fb395", 39),
		row(pipeline.Created, "ObjectCreated:Put", "2026-11-29T11:06:52.226660Z", "photos", "with space", "", "", "9297ab3fbd56b42f6566284119238125", 9),
		row(pipeline.Created, "ObjectCreated:Put", "2026-11-29T11:06:52.262333Z", "photos", "ü/ñ/日本語", "", "", "838559e92c5a52def29b9484c32ddcbb", 9),
		row(pipeline.Created, "ObjectCreated:Put", "2026-11-29T11:06:52.376381Z", "photos", "semi;colon.md5", "", "", "a742fbb7356c5b797bc2f40d22e32b4b", 45),
		row(pipeline.Created, "ObjectCreated:CompleteMultipartUpload", "2026-11-29T11:14:10.987933Z", "webv", "mpv", "", "", "1819d1a8700e59901a48215b8577ac07-1", 4),
		row(pipeline.Created, "ObjectCreated:Copy", "2026-11-29T11:14:10.912754Z", "webv", "vc", "", "", "54d7c9069d63f1fa5525dd789ab6ba98", 4),
		row(pipeline.Created, "ObjectCreated:Put", "2026-11-29T11:14:11.050806Z", "webv", "v", "", "", "33c57c68d139ab13818648d1257ed7ea", 8),
		row(pipeline.Created, "ObjectCreated:Put", "", "web", "c1", "", "", "c4ca4238a0b923820dcc509a6f75849b", 1),
		row(pipeline.Created, "ObjectCreated:Put", "2026-11-29T11:14:10.810166Z", "webv", "v", "", "2kZgDcsihskl5mFN6P4zSW23gHUMz41", "f97c5d29941bfb1b2fdab0874906ab82", 3),
		row(pipeline.Created, "ObjectCreated:Put", "2026-11-29T11:12:38.857940Z", "web", "a b+c%", "", "", "9dd4e461268c8034f5c8564e155c67a6", 1),
		row(pipeline.Deleted, "ObjectRemoved:Delete", "2026-11-29T11:14:11.076080Z", "webv", "v", "", "", "33c57c68d139ab13818648d1257ed7ea", 8),
		row(pipeline.Deleted, "ObjectRemoved:Delete", "2026-11-29T11:12:38.874642Z", "web", "never was", "", "", "", unknown),
		row(pipeline.Deleted, "ObjectRemoved:Delete", "2026-11-29T11:14:10.896084Z", "webv", "v", "", "rB0x08TYjih-JEk9fYU1RveYKokxR4-", "", unknown),
		row(pipeline.Deleted, "ObjectRemoved:Delete", "2026-11-29T11:14:10.887490Z", "webv", "v", "", "2kZgDcsihskl5mFN6P4zSW23gHUMz41", "f97c5d29941bfb1b2fdab0874906ab82", 3),
		row(pipeline.Deleted, "ObjectRemoved:Delete", "2026-11-29T11:12:38.869176Z", "web", "a b+c%", "", "", "9dd4e461268c8034f5c8564e155c67a6", 1),
		row(pipeline.Deleted, "ObjectRemoved:DeleteMarkerCreated", "2026-11-29T11:14:10.877162Z", "webv", "v", "", "", "", 4),
	)
}

// TestNotificationKinds asserts what each name asks for. What is in no list is refused: it may ask for work.
func TestNotificationKinds(t *testing.T) {
	kinds := map[pipeline.Kind][]string{
		pipeline.Created: {"ObjectCreated:Put", "ObjectCreated:NotYetInvented", "ObjectSynced:Create", "Replication:Create"},
		pipeline.Deleted: {"ObjectRemoved:Delete", "ObjectRemoved:DeleteAllVersions", "LifecycleExpiration:DeleteMarkerCreated", "LifecycleDelMarkerExpiration:Delete",
			"ObjectLifecycle:Expiration:Noncurrent", "ObjectSynced:Delete", "Replication:DeletionMarkerCreated"},
		pipeline.Restored: {"ObjectRestore:Completed"},
		pipeline.Ignored: {"TestEvent", "ObjectTagging:Delete", "ObjectAcl:Put", "LifecycleTransition", "IntelligentTiering", "ReducedRedundancyLostObject",
			"ObjectRestore:Post", "ObjectRestore:Delete", "Replication:OperationFailedReplication", "ObjectLifecycle:Transition:Current", "ObjectLifecycle:Expiration:AbortMPU",
			"ObjectAccessed:Get", "ObjectTransition:Complete", "BucketCreated:*", "BucketRemoved:*", "Scanner:ManyVersions"},
	}
	for kind, names := range kinds {
		for _, name := range names {
			for _, prefix := range []string{"", "s3:"} {
				record := `{"eventName":"` + prefix + name + `","s3":{"bucket":{"name":"b"},"object":{"key":"k","size":"9","sequencer":3,"versionId":null,"eTag":null}}}`
				want := pipeline.Event{Kind: kind, Name: prefix + name, Object: pipeline.Object{Size: unknown}}
				if kind != pipeline.Ignored {
					want.Object = pipeline.Object{Bucket: "b", Key: "k", Size: 9, Sequencer: "3"}
				}
				decodes(t, []byte(`{"Records":[`+record+`]}`), nil, want)
				decodes(t, []byte(record), nil, want)                          // alone
				decodes(t, []byte(`[`+record+`,`+record+`]`), nil, want, want) // in a bare list
				decodes(t, []byte(`[{"Records":[`+record+`]}]`), nil, want)    // a list of notifications
			}
		}
	}
	for _, name := range []string{"ObjectDreamt:Put", "ObjectRestore:Dreamt", "ObjectSynced:Dreamt", "ObjectLifecycle:Dreamt", "objectcreated:Put", "ObjectCreatedPut"} {
		refuses(t, []byte(`{"eventName":"`+name+`","s3":{}}`), nil, `S3 notification: events of the name "`+name+`" are not read`)
	}
	nothing := pipeline.Event{Name: "no events", Object: pipeline.Object{Size: unknown}}
	for _, body := range []string{`{"Records":[]}`, `{"Records":null}`, ` [ ] `, `{"events":[]}`} {
		decodes(t, []byte(body), nil, nothing)
	}
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
