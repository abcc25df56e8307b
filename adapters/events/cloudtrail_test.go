package events_test

import (
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

const cloudTrailID = "11111111-2222-3333-4444-555555555555"

func cloudTrailEvent(t *testing.T, kind pipeline.Kind, name, key, version string) pipeline.Event {
	e := pipeline.Event{Kind: kind, Name: name, ID: cloudTrailID, Time: at(t, "2021-11-12T00:00:00Z"),
		Object: pipeline.Object{Key: key, VersionID: version, Size: unknown}}
	if kind != pipeline.Ignored {
		e.Object.Bucket = "amzn-s3-demo-bucket1"
	}
	return e
}

func TestCloudTrail(t *testing.T) {
	const version = "3HL4kqtJvjVBH40Nrjfkd"
	for name, want := range map[string][]pipeline.Event{
		"cloudtrail-put-object":                {cloudTrailEvent(t, pipeline.Created, "PutObject", "md5/example key.bin", "")},
		"cloudtrail-complete-multipart-upload": {alias(cloudTrailEvent(t, pipeline.Created, "CompleteMultipartUpload", "a+b%20c ü", version), "a b c ü")},
		"cloudtrail-access-denied":             {cloudTrailEvent(t, pipeline.Ignored, "PutObject", "", "")},
		"cloudtrail-delete-version":            {cloudTrailEvent(t, pipeline.Deleted, "DeleteObject", "md5/example key.bin", version)},
		"cloudtrail-delete-object":             {cloudTrailEvent(t, pipeline.Deleted, "DeleteObject", "md5/example key.bin", "")},
		"cloudtrail-delete-objects": {
			alias(cloudTrailEvent(t, pipeline.Deleted, "DeleteObjects", "md5/a+b c:1", ""), "md5/a b c:1"),
			alias(cloudTrailEvent(t, pipeline.Deleted, "DeleteObjects", "ü%20", ""), "ü "),
		},
	} {
		t.Run(name, func(t *testing.T) { decodes(t, sample(t, name), nil, want...) })
	}
}

func TestCloudTrailVariants(t *testing.T) {
	put := cloudTrailEvent(t, pipeline.Created, "PutObject", "md5/example key.bin", "")
	named := func(name string, e pipeline.Event) pipeline.Event {
		e.Name = name
		return e
	}
	otherID := put
	otherID.ID = "8cf3b6b1-0d34-4c4e-9d39-1f9c6a6e1a10"
	for name, tc := range map[string]struct {
		old, new string
		want     pipeline.Event
	}{
		"copy": {`"PutObject"`, `"CopyObject"`, named("CopyObject", put)},
		// Other calls have parameters of other shapes.
		"other call":       {`"PutObject"`, `"PutBucketPolicy","requestParameters":[1]`, cloudTrailEvent(t, pipeline.Ignored, "PutBucketPolicy", "", "")},
		"form":             {`"PutObject"`, `"PostObject"`, named("PostObject", put)},
		"directory bucket": {`"s3.amazonaws.com"`, `"s3express.amazonaws.com"`, put},
		"part":             {`"PutObject"`, `"UploadPart"`, cloudTrailEvent(t, pipeline.Ignored, "UploadPart", "", "")},
		"only reads":       {`"readOnly": false`, `"eventName":"NotYetInvented","readOnly":true`, cloudTrailEvent(t, pipeline.Ignored, "NotYetInvented", "", "")},
		"no event id":      {`"eventID"`, `"x"`, otherID},
		"bad time":         {`"eventTime": "2021`, `"eventTime": "not 2021`, put},
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.Replace(string(sample(t, "cloudtrail-put-object")), tc.old, tc.new, 1)
			decodes(t, []byte(body), nil, tc.want)
		})
	}
}

func TestCloudTrailRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ sample, old, new, reason string }{
		"no objects":       {"delete-objects-without-keys", "", "", "CloudTrail: the record of DeleteObjects does not say which objects were deleted; S3's own events do"},
		"unknown call":     {"put-object", `"PutObject"`, `"RenameObject"`, `CloudTrail: calls of "RenameObject" are not read`},
		"other service":    {"put-object", `"s3.amazonaws.com"`, `"s3tables.amazonaws.com"`, `CloudTrail: calls of "s3tables.amazonaws.com" are not read`},
		"no detail":        {"put-object", `"detail":`, `"x":`, "CloudTrail: detail is missing"},
		"no name":          {"put-object", `"eventName"`, `"x"`, "CloudTrail: detail.eventName is missing"},
		"name is a list":   {"put-object", `"PutObject"`, `[]`, "CloudTrail: detail.eventName is an array where a string belongs"},
		"no bucket":        {"put-object", `"bucketName"`, `"x"`, "CloudTrail: detail.requestParameters.bucketName is missing"},
		"no key":           {"put-object", `"key"`, `"x"`, "CloudTrail: detail.requestParameters.key is missing"},
		"key is an array":  {"put-object", `"key": "`, `"key": [], "x": "`, "CloudTrail: detail.requestParameters.key is an array where a string belongs"},
		"half a surrogate": {"delete-objects", `ü%20`, `ü\ud800`, "CloudTrail: detail.resources[3].ARN contains half of a surrogate pair"},
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.Replace(string(sample(t, "cloudtrail-"+tc.sample)), tc.old, tc.new, 1)
			refuses(t, []byte(body), nil, tc.reason)
		})
	}
}

func FuzzCloudTrail(f *testing.F) {
	fuzzForm(f, "cloudtrail-*", func(t testing.TB, key string) any {
		return object{"detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "detail": object{
			"eventName": "PutObject", "eventSource": "s3.amazonaws.com", "requestParameters": object{"bucketName": "b", "key": key}}}
	})
}
