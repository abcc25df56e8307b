package events_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestGoogleCloudEvents(t *testing.T) {
	const prefix = "google.cloud.storage.object.v1."
	when := at(t, "2026-05-06T07:08:09Z")
	event := func(kind pipeline.Kind, name string) pipeline.Event {
		e := pipeline.Event{Kind: kind, Name: prefix + name, ID: "77", Time: when, Object: pipeline.Object{Size: unknown}}
		if kind != pipeline.Ignored {
			e.Object = pipeline.Object{Bucket: "films", Key: "a+b/ü %20.mov", VersionID: "1688778055917163", Sequencer: "00001688778055917163", ETag: "CKu=", Size: 81}
		}
		return e
	}
	full := `{"kind":"storage#object","bucket":"films","name":"a+b/ü %20.mov","generation":"1688778055917163","size":"81","etag":"CKu="}`
	body := func(name, data string) []byte {
		return []byte(`{"specversion":"1.0","type":"` + prefix + name + `","source":"//storage.googleapis.com/projects/_/buckets/films",` +
			`"subject":"objects/a+b/ü %20.mov","id":"77","time":"2026-05-06T07:08:09Z",` + data + `}`)
	}
	for name, kind := range map[string]pipeline.Kind{
		"finalized": pipeline.Created, "deleted": pipeline.Deleted, "archived": pipeline.Deleted, "metadataUpdated": pipeline.Ignored,
	} {
		decodes(t, body(name, `"data":`+full), nil, event(kind, name))
	}
	numbers := strings.NewReplacer(`"81"`, `81`, `"1688778055917163"`, `1688778055917163`).Replace(full)
	decodes(t, body("finalized", `"data":`+numbers), nil, event(pipeline.Created, "finalized"))
	decodes(t, body("finalized", `"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(full))+`"`), nil, event(pipeline.Created, "finalized"))
	named := event(pipeline.Created, "finalized")
	named.Object = pipeline.Object{Bucket: "films", Key: "a+b/ü %20.mov", Size: unknown}
	decodes(t, body("finalized", `"data":null`), nil, named)
	decodes(t, body("finalized", `"data_base64":"`+base64.StdEncoding.EncodeToString([]byte("{\"name\":\"\xff\"}"))+`"`), nil, named)

	refuses(t, body("dreamt", `"data":{}`), nil, `CloudEvents: events of the type "google.cloud.storage.object.v1.dreamt" are not read`)
	refuses(t, []byte(`{"specversion":"1.0","type":"google.cloud.storage.object.v1.finalized","data":{"name":"n"}}`), nil, "CloudEvents: data.bucket is missing")
	refuses(t, body("finalized", `"data":[]`), nil, "CloudEvents: data is an array where an object belongs")
	refuses(t, body("finalized", `"data":{"name":"\ud800"}`), nil, "CloudEvents: data.name contains half of a surrogate pair")
}

func TestOracle(t *testing.T) {
	const prefix = "com.oraclecloud.objectstorage."
	body := func(name string) object {
		return object{"cloudEventsVersion": "0.1", "eventID": "e-9", "eventType": prefix + name, "source": "ObjectStorage", "eventTypeVersion": "2.0",
			"eventTime": "2020-01-21T16:26:30.849Z", "contentType": "application/json", "extensions": object{"compartmentId": "c"},
			"data": object{"compartmentName": "DevOps", "resourceName": "tax 2025/1+1.json", "resourceId": "/n/tenancy/b/ledgers/o/tax",
				"additionalDetails": object{"bucketName": "ledgers", "namespace": "tenancy", "eTag": "199f8dbf-0b8c", "versionId": "v-3", "archivalState": "Available"}}}
	}
	event := func(kind pipeline.Kind, name string) pipeline.Event {
		e := pipeline.Event{Kind: kind, Name: prefix + name, ID: "e-9", Time: at(t, "2020-01-21T16:26:30.849Z"), Object: pipeline.Object{Size: unknown}}
		if kind != pipeline.Ignored {
			e.OtherKey = "tax 2025/1 1.json"
			e.Object = pipeline.Object{Bucket: "ledgers", Key: "tax 2025/1+1.json", ETag: "199f8dbf-0b8c", VersionID: "v-3", Size: unknown}
		}
		return e
	}
	for name, kind := range map[string]pipeline.Kind{
		"createobject": pipeline.Created, "updateobject": pipeline.Created, "deleteobject": pipeline.Deleted, "updatebucket": pipeline.Ignored,
	} {
		decodes(t, []byte(mustJSON(t, body(name))), nil, event(kind, name))
	}
	newer := body("createobject") // as CloudEvents 1.0
	newer["specversion"], newer["type"], newer["time"] = "1.0", newer["eventType"], newer["eventTime"]
	decodes(t, []byte(mustJSON(t, newer)), nil, event(pipeline.Created, "createobject"))
	refuses(t, []byte(mustJSON(t, body("dreamobject"))), nil, `Oracle: events of the type "com.oraclecloud.objectstorage.dreamobject" are not read`)
	refuses(t, []byte(`{"eventType":"com.oraclecloud.objectstorage.createobject","data":{"resourceName":"r"}}`), nil, "Oracle: data.additionalDetails.bucketName is missing")
	refuses(t, []byte(`{"cloudEventsVersion":"0.1","eventType":"com.oraclecloud.computeapi.launchinstance.begin"}`), nil,
		`Event Grid: events of the type "com.oraclecloud.computeapi.launchinstance.begin" are not read`)
	refuses(t, []byte(`{"cloudEventsVersion":"0.1"}`), nil, "Event Grid: eventType is missing")
}

func TestAlibaba(t *testing.T) {
	item := func(name string) object {
		return object{"eventName": name, "eventSource": "acs:oss", "eventTime": "2022-08-13T06:45:43.000Z", "eventVersion": "1.0", "region": "cn-hangzhou",
			"oss": object{"bucket": object{"arn": "acs:oss:cn-hangzhou:1:hall", "name": "hall"}, "ossSchemaVersion": "1.0",
				"object": object{"deltaSize": 5, "eTag": "688A7BF4F233DC9C88A80BF985AB7329", "key": "b/c%2Bd.png", "size": 122539}}}
	}
	event := func(kind pipeline.Kind, name string) pipeline.Event {
		e := pipeline.Event{Kind: kind, Name: name, Time: at(t, "2022-08-13T06:45:43Z"), Object: pipeline.Object{Size: unknown}}
		if kind != pipeline.Ignored {
			e.OtherKey = "b/c+d.png"
			e.Object = pipeline.Object{Bucket: "hall", Key: "b/c%2Bd.png", ETag: "688A7BF4F233DC9C88A80BF985AB7329", Size: 122539}
		}
		return e
	}
	for name, kind := range map[string]pipeline.Kind{
		"ObjectCreated:PutObject": pipeline.Created, "ObjectCreated:CompleteMultipartUpload": pipeline.Created, "oss:ObjectCreated:AppendObject": pipeline.Created,
		"ObjectCreated:InitiateMultipartUpload": pipeline.Ignored, "ObjectCreated:UploadPart": pipeline.Ignored, "ObjectRemoved:AbortMultipartUpload": pipeline.Ignored,
		"ObjectRemoved:DeleteObjects": pipeline.Deleted, "ObjectRestore:FinishRestore": pipeline.Restored, "ObjectDownloaded:GetObject": pipeline.Ignored,
		"ObjectReplication:ObjectModified": pipeline.Created, "ObjectReplication:ObjectRemoved": pipeline.Deleted, "Oss:ObjectCreated:PutSymlink": pipeline.Created,
	} {
		t.Run(name, func(t *testing.T) {
			decodes(t, []byte(mustJSON(t, object{"events": []any{item(name), item(name)}})), nil, event(kind, name), event(kind, name))
			cloud := object{"specversion": "1.0", "id": "x", "source": "acs.oss", "type": "oss:" + name, "subject": "acs:oss:cn-hangzhou:1:hall/b", "data": item(name)}
			decodes(t, []byte(mustJSON(t, cloud)), nil, event(kind, name))
		})
	}
	refuses(t, []byte(mustJSON(t, object{"events": []any{item("ObjectDreamt:X")}})), nil, `Alibaba OSS: events[0]: events of the name "ObjectDreamt:X" are not read`)
	refuses(t, []byte(`{"events":[{"eventName":"ObjectCreated:PutObject","oss":{}}]}`), nil, "Alibaba OSS: events[0]: oss.bucket.name is missing")
	refuses(t, []byte(`{"events":[{"eventType":"b2:ObjectCreated:Upload"}]}`), nil, "Alibaba OSS: events[0]: eventName is missing")
	refuses(t, []byte(`{"specversion":"1.0","type":"oss:ObjectCreated:PutObject"}`), nil, "CloudEvents: data is missing")
}

// TestWrappedS3 decodes events of S3 that adapters put into CloudEvents, each in its own way.
func TestWrappedS3(t *testing.T) {
	wrapped := func(kind, data string) []byte {
		return []byte(`{"specversion":"1.0","id":"i","source":"s","type":"` + kind + `","time":"2024-01-02T03:04:05Z","data":` + data + `}`)
	}
	want := pipeline.Event{Kind: pipeline.Created, Name: "com.amazonaws.s3.object.created", ID: "i", Time: at(t, "2024-01-02T03:04:05Z"),
		OtherKey: "x y", Object: pipeline.Object{Bucket: "b", Key: "x+y", Size: 12, ETag: "e"}}
	for name, data := range map[string]string{
		"flat":        `{"bucket":"b","key":"x+y","size":12,"etag":"e","eventName":"ObjectCreated:Put"}`,
		"flat object": `{"bucket":"b","object":"x+y","size":"12","etag":"\"e\""}`,
		"entity":      `{"s3SchemaVersion":"1.0","bucket":{"name":"b"},"object":{"key":"x+y","size":12,"eTag":"e"}}`,
	} {
		t.Run(name, func(t *testing.T) { decodes(t, wrapped("com.amazonaws.s3.object.created", data), nil, want) })
	}
	gone := want
	gone.Kind, gone.Name = pipeline.Deleted, "com.amazonaws.s3.ObjectRemoved:Delete"
	decodes(t, wrapped(gone.Name, `{"bucket":"b","key":"x+y","size":12,"etag":"e"}`), nil, gone)

	record := string(sample(t, "s3-notification"))
	var notification struct{ Records []json.RawMessage }
	if err := json.Unmarshal([]byte(record), &notification); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{
		"notification":        wrapped("com.amazonaws.s3.object.created", record),
		"record":              wrapped("com.amazonaws.s3.ObjectCreated:Put", string(notification.Records[0])),
		"notification, Kafka": wrapped("dev.knative.kafka.event", record),
		"in SNS":              []byte(mustJSON(t, object{"Type": "Notification", "Message": string(wrapped("a.b", record))})),
	} {
		t.Run(name, func(t *testing.T) { decodes(t, body, nil, flower(t)) })
	}
	decodes(t, wrapped("io.bucketsum.checksum.recorded.v1", `{"bucket":"b","key":"k"}`), nil,
		pipeline.Event{Name: "io.bucketsum.checksum.recorded.v1", ID: "i", Time: want.Time, Object: pipeline.Object{Size: unknown}})

	refuses(t, wrapped("com.amazonaws.s3.object.dreamt", `{}`), nil, `CloudEvents: events of the type "com.amazonaws.s3.object.dreamt" are not read`)
	refuses(t, wrapped("com.amazonaws.s3.object.created", `{"key":"k"}`), nil, "CloudEvents: data.bucket is missing")
	refuses(t, wrapped("com.example.thing", `"text"`), nil, `CloudEvents: events of the type "com.example.thing" are not read`)
	refuses(t, wrapped("com.example.thing", `{"Records":[{}]}`), nil, "CloudEvents: data: S3 notification: Records[0]: eventName is missing")
}

func FuzzCloudEvents(f *testing.F) {
	fuzzForm(f, "cloudevents-*", func(t testing.TB, key string) any {
		return object{"specversion": "1.0", "type": "google.cloud.storage.object.v1.finalized", "data": object{"bucket": "b", "name": key}}
	})
}
