package events_test

import (
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/pipeline"
)

// TestReadings asserts how the key of an event is read, and in which order.
func TestReadings(t *testing.T) {
	notification := func(source string) func(string) any {
		return func(key string) any {
			return object{"Records": []any{object{"eventName": "ObjectRemoved:Delete", "eventSource": source,
				"s3": object{"bucket": object{"name": "b"}, "object": object{"key": key}}}}}
		}
	}
	encoded, plain := notification("aws:s3"), notification("scality:s3")
	bridge := func(key string) any { return eventBridgeWith(key) }
	trail := func(key string) any {
		return object{"detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "detail": object{
			"eventName": "PutObject", "eventSource": "s3.amazonaws.com", "requestParameters": object{"bucketName": "b", "key": key}}}
	}
	blob := func(key string) any {
		return object{"eventType": "Microsoft.Storage.BlobCreated", "subject": "/blobServices/default/containers/b/blobs/" + key, "data": object{}}
	}
	// Decoded it is within the limit for keys, as it stands it is not.
	long := strings.Repeat("%C3%BC", pipeline.MaxKey/6+1)
	for name, tc := range map[string]struct {
		body                func(key string) any
		spelled, key, other string
	}{
		"one reading":                      {encoded, "1/2.txt", "1/2.txt", ""},
		"decoded first":                    {encoded, "1%2B2+3", "1+2 3", "1%2B2+3"},
		"decoded first, unknown source":    {notification("novel:s3"), "x+y", "x y", "x+y"},
		"decoded first, no source":         {notification(""), "x+y", "x y", "x+y"},
		"cut escape":                       {encoded, "5%", "5%", ""},
		"no escape":                        {encoded, "5% of+all", "5% of+all", ""},
		"escapes are not UTF-8":            {encoded, "%e4.txt", "%e4.txt", ""},
		"too long as it stands":            {encoded, long, strings.Repeat("ü", pipeline.MaxKey/6+1), ""},
		"plain first":                      {plain, "x+y%2Fz", "x+y%2Fz", "x y/z"},
		"plain first, Storj":               {notification("storj:s3"), "x+y", "x+y", "x y"},
		"plain, one reading, Storj":        {notification("storj:s3"), "50% of it.txt", "50% of it.txt", ""},
		"plain first, NooBaa":              {notification("noobaa:s3"), "x+y", "x+y", "x y"},
		"plain first, Ceph":                {notification("ceph:s3"), "x+y", "x+y", "x y"},
		"plain, one reading":               {plain, "90% off+1", "90% off+1", ""},
		"plain, too long as it stands":     {plain, long, strings.Repeat("ü", pipeline.MaxKey/6+1), ""},
		"EventBridge":                      {bridge, "x+y%20z", "x+y%20z", "x y z"},
		"EventBridge, one reading":         {bridge, "90% off+1", "90% off+1", ""},
		"CloudTrail":                       {trail, "x+y%20z", "x+y%20z", "x y z"},
		"Event Grid documents its subject": {blob, "x+y%20z", "x+y%20z", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := events.Decode([]byte(mustJSON(t, tc.body(tc.spelled))), nil)
			if err != nil || len(got) != 1 {
				t.Fatalf("%d events, %v", len(got), err)
			}
			if got[0].Object.Key != tc.key || got[0].OtherKey != tc.other {
				t.Errorf("read as %q or %q, want %q or %q", got[0].Object.Key, got[0].OtherKey, tc.key, tc.other)
			}
		})
	}
}
