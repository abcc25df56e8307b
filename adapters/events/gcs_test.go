package events_test

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

func gcsAttributes(t testing.TB, changes map[string]string) map[string]string {
	t.Helper()
	var attributes map[string]string
	if err := json.Unmarshal(sample(t, "gcs-object-finalize.attributes"), &attributes); err != nil {
		t.Fatal(err)
	}
	maps.Copy(attributes, changes)
	maps.DeleteFunc(attributes, func(_, value string) bool { return value == "" })
	return attributes
}

func gcsEvent(t testing.TB) pipeline.Event {
	return pipeline.Event{
		Kind: pipeline.Created, Name: "OBJECT_FINALIZE", Time: at(t, "2024-04-05T19:34:38.905Z"),
		Object: pipeline.Object{Bucket: "mybucket", Key: "dir/file name.bin", VersionID: "1712345678901234",
			Sequencer: "00001712345678901234", ETag: "CLKAy8yfrIUDEAE=", Size: 5},
	}
}

func TestGCS(t *testing.T) {
	body := string(sample(t, "gcs-object-finalize"))
	full := gcsEvent(t)
	bare := full
	bare.Object.ETag, bare.Object.Size = "", unknown
	event := func(from pipeline.Event, kind pipeline.Kind, name string) pipeline.Event {
		from.Kind, from.Name = kind, name
		return from
	}
	sizeless := full
	sizeless.Object.Size = unknown
	odd := bare
	odd.Object.Key, odd.Object.VersionID, odd.Object.Sequencer = "a+b%20c ü", "", ""
	odd.Time = time.Time{} // "soon" is not a time
	ignored := func(name string) pipeline.Event {
		return pipeline.Event{Name: name, Time: full.Time, Object: pipeline.Object{Size: unknown}}
	}
	for name, tc := range map[string]struct {
		body    string
		changes map[string]string
		want    pipeline.Event
	}{
		"attributes and body":     {body, nil, full},
		"attributes only":         {"", nil, bare},
		"blank body":              {" \n", nil, bare},
		"body of format NONE":     {"whatever", map[string]string{"payloadFormat": "NONE"}, bare},
		"names in the body only":  {body, map[string]string{"bucketId": "", "objectId": "", "objectGeneration": ""}, full},
		"numbers without quotes":  {`{"size":5,"generation":1712345678901234,"etag":"CLKAy8yfrIUDEAE=","new":[]}`, map[string]string{"objectGeneration": ""}, full},
		"odd key, no generation":  {"", map[string]string{"objectId": "a+b%20c ü", "objectGeneration": "", "eventTime": "soon"}, odd},
		"deleted":                 {"", map[string]string{"eventType": "OBJECT_DELETE"}, event(bare, pipeline.Deleted, "OBJECT_DELETE")},
		"archived by a deletion":  {"", map[string]string{"eventType": "OBJECT_ARCHIVE"}, event(bare, pipeline.Deleted, "OBJECT_ARCHIVE")},
		"deleted by overwriting":  {"", map[string]string{"eventType": "OBJECT_DELETE", "overwrittenByGeneration": "9"}, ignored("OBJECT_DELETE")},
		"archived by overwriting": {"", map[string]string{"eventType": "OBJECT_ARCHIVE", "overwrittenByGeneration": "9"}, ignored("OBJECT_ARCHIVE")},
		"overwrote a generation":  {"", map[string]string{"overwroteGeneration": "9"}, bare},
		"metadata":                {body, map[string]string{"eventType": "OBJECT_METADATA_UPDATE"}, ignored("OBJECT_METADATA_UPDATE")},
		"size is nonsense":        {`{"size":"-5","etag":"CLKAy8yfrIUDEAE="}`, nil, sizeless},
		"size is null":            {`{"size":null,"etag":"CLKAy8yfrIUDEAE=","generation":null}`, nil, sizeless},
	} {
		t.Run(name, func(t *testing.T) { decodes(t, []byte(tc.body), gcsAttributes(t, tc.changes), tc.want) })
	}
	t.Run("pushed", func(t *testing.T) { decodes(t, sample(t, "pubsub-push-gcs-object-finalize"), nil, full) })
	t.Run("forwarded", func(t *testing.T) { decodes(t, sample(t, "pubsub-wrapped-gcs-object-finalize"), nil, full) })
	t.Run("forwarded attributes", func(t *testing.T) {
		for _, data := range []any{nil, ""} {
			decodes(t, []byte(mustJSON(t, object{"attributes": gcsAttributes(t, nil), "data": data})), nil, bare)
		}
	})
}

// TestGCSSequencers asserts that a generation with more digits is newer than one with fewer.
func TestGCSSequencers(t *testing.T) {
	older := gcsEvent(t).Object.Sequencer
	for _, generation := range []string{"1712345678901235", "10000000000000000"} {
		body := mustJSON(t, object{"attributes": gcsAttributes(t, map[string]string{"objectGeneration": generation})})
		want := gcsEvent(t)
		want.Object.ETag, want.Object.Size, want.Object.VersionID = "", unknown, generation
		want.Object.Sequencer = "00001712345678901235"
		if generation == "10000000000000000" {
			want.Object.Sequencer = "00010000000000000000"
		}
		decodes(t, []byte(body), nil, want)
		if want.Object.Sequencer <= older {
			t.Errorf("generation %s is not newer than %s", generation, older)
		}
	}
}

func TestGCSRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		body    string
		changes map[string]string
		reason  string
	}{
		"no bucket":           {"", map[string]string{"bucketId": ""}, "GCS: bucketId is missing"},
		"no object":           {"{}", map[string]string{"objectId": ""}, "GCS: objectId is missing"},
		"object is not UTF-8": {"", map[string]string{"objectId": "\xff"}, "GCS: objectId is not UTF-8"},
		"body is not UTF-8":   {"{\"etag\":\"\xff\"}", nil, "GCS: the body is not UTF-8"},
		"body is cut":         {`{"name":`, nil, "GCS: not JSON at byte 8: unexpected end of JSON input"},
		"body is a list":      {`[]`, nil, "GCS: an array where an object belongs"},
		"unknown kind":        {"{}", map[string]string{"eventType": "NOT_YET_INVENTED"}, `GCS: events of the type "NOT_YET_INVENTED" are not read`},
		"kind is not UTF-8":   {"{}", map[string]string{"eventType": "OBJECT_\xff"}, `GCS: events of the type "OBJECT_�" are not read`},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, []byte(tc.body), gcsAttributes(t, tc.changes), tc.reason) })
	}
	for name, tc := range map[string]struct{ body, reason string }{
		"body without attributes": {string(sample(t, "gcs-object-finalize")), "GCS: the message has no attribute eventType, which says what happened to the object"},
		"message is a list":       {`{"message":[]}`, "Pub/Sub: message is an array where an object belongs"},
		"data is not base64":      {`{"message":{"attributes":{},"data":"?"}}`, "Pub/Sub: data is neither JSON nor base64"},
		"data is missing":         {`{"message":{}}`, "Pub/Sub: the body is empty"},
		"half a surrogate":        {`{"attributes":{"eventType":"OBJECT_FINALIZE","bucketId":"b","objectId":"\ud800"}}`, "Pub/Sub: attribute objectId contains half of a surrogate pair"},
		"messages in messages":    {`{"message":{"data":{"message":{"data":{"message":{"data":{"message":{"data":{}}}}}}}}}`, "Pub/Sub: Pub/Sub: Pub/Sub: Pub/Sub: wrapped more than 3 times"},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, []byte(tc.body), nil, tc.reason) })
	}
}

func FuzzGCS(f *testing.F) {
	fuzzForm(f, "*gcs*", func(t testing.TB, key string) any {
		return object{"attributes": object{"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": key}}
	})
}
