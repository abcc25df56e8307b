package events

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
)

// cloudTrailRecord has the fields of every record of an API call.
type cloudTrailRecord struct {
	EventID     identifier      `json:"eventID"`
	EventTime   moment          `json:"eventTime"`
	EventSource string          `json:"eventSource"`
	EventName   string          `json:"eventName"`
	ErrorCode   identifier      `json:"errorCode"`
	ReadOnly    json.RawMessage `json:"readOnly"`
}

// cloudTrailObject has the other fields of a record whose call is about objects, see
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html.
// Records contain neither a size nor an ETag.
type cloudTrailObject struct {
	RequestParameters struct {
		BucketName string     `json:"bucketName"`
		Key        string     `json:"key"`
		VersionID  identifier `json:"versionId"`
	} `json:"requestParameters"`
	ResponseElements struct {
		VersionID identifier `json:"x-amz-version-id"`
	} `json:"responseElements"`
	Resources json.RawMessage `json:"resources"`
}

type cloudTrailResource struct {
	Type string `json:"type"`
	ARN  string `json:"ARN"`
}

var callsThatCreate = map[string]bool{"PutObject": true, "PostObject": true, "CompleteMultipartUpload": true, "CopyObject": true}

// callsAskingNothing holds the calls about an object that leave its content as it is. RestoreObject only
// asks for a restore.
var callsAskingNothing = map[string]bool{
	"GetObject": true, "HeadObject": true, "GetObjectAcl": true, "GetObjectAttributes": true, "GetObjectLegalHold": true, "GetObjectRetention": true,
	"GetObjectTagging": true, "GetObjectTorrent": true, "SelectObjectContent": true, "ListObjects": true, "ListObjectVersions": true, "ListParts": true,
	"ListMultipartUploads": true, "CreateMultipartUpload": true, "UploadPart": true, "UploadPartCopy": true, "AbortMultipartUpload": true,
	"PutObjectAcl": true, "PutObjectTagging": true, "DeleteObjectTagging": true, "PutObjectLegalHold": true, "PutObjectRetention": true, "RestoreObject": true,
}

// aboutNoObject reports whether a call is about a bucket, an access point or a job.
func aboutNoObject(call string) bool {
	return strings.Contains(call, "Bucket") || strings.Contains(call, "AccessPoint") || strings.Contains(call, "Job")
}

// decodeCloudTrail decodes an API call that CloudTrail recorded and EventBridge delivered.
// A call that failed is ignored, because it changed nothing.
func decodeCloudTrail(e eventBridgeEvent) ([]pipeline.Event, error) {
	var r cloudTrailRecord
	if err := unmarshal("detail", e.Detail, &r); err != nil {
		return nil, err
	}
	if r.EventName == "" {
		return nil, errors.New("detail.eventName is missing")
	}
	event := ignored(r.EventName, cmp.Or(r.EventID, e.ID), r.EventTime)
	if event.Time.IsZero() {
		event.Time = e.Time.Time
	}
	if r.EventSource != "s3.amazonaws.com" && r.EventSource != "s3express.amazonaws.com" { // the second is of directory buckets
		return nil, fmt.Errorf("calls of %s are not read", quoted(r.EventSource))
	}
	switch {
	case r.ErrorCode != "", string(r.ReadOnly) == "true", callsAskingNothing[r.EventName], aboutNoObject(r.EventName):
		return []pipeline.Event{event}, nil
	case r.EventName == "DeleteObject", r.EventName == "DeleteObjects":
		event.Kind = pipeline.Deleted
	case callsThatCreate[r.EventName]:
		event.Kind = pipeline.Created
	default:
		return nil, fmt.Errorf("calls of %s are not read", quoted(r.EventName))
	}
	var o cloudTrailObject
	if err := unmarshal("detail", e.Detail, &o); err != nil {
		return nil, err
	}
	if err := checkName("detail.requestParameters.bucketName", o.RequestParameters.BucketName, e.Detail); err != nil {
		return nil, err
	}
	event.Object.Bucket = o.RequestParameters.BucketName
	if r.EventName == "DeleteObjects" {
		return deletedTogether(event, o.Resources, e.Detail)
	}
	if err := checkName("detail.requestParameters.key", o.RequestParameters.Key, e.Detail); err != nil {
		return nil, err
	}
	event.Object.Key, event.OtherKey = readingsOf(o.RequestParameters.Key, false)
	if event.Kind == pipeline.Created {
		event.Object.VersionID = string(o.ResponseElements.VersionID)
	} else {
		// The version that the caller asked to delete. That of the response is the
		// delete marker's.
		event.Object.VersionID = string(o.RequestParameters.VersionID)
	}
	return []pipeline.Event{event}, nil
}

// deletedTogether returns an event for each object that the record of a DeleteObjects call
// lists. CloudTrail does not promise that list.
func deletedTogether(deleted pipeline.Event, resources, raw json.RawMessage) ([]pipeline.Event, error) {
	if resources != nil {
		if err := new(opening).count("detail.resources", resources); err != nil {
			return nil, err
		}
	}
	var events []pipeline.Event
	i := 0
	for item := range parts(resources) {
		var r cloudTrailResource
		if err := unmarshal(fmt.Sprintf("detail.resources[%d]", i), item, &r); err != nil {
			return nil, err
		}
		// arn:aws:s3:::BUCKET/KEY, where "aws" is the partition
		_, path, _ := strings.Cut(r.ARN, ":s3:::")
		bucket, key, _ := strings.Cut(path, "/")
		if r.Type == "AWS::S3::Object" && bucket == deleted.Object.Bucket && key != "" {
			if err := checkName(fmt.Sprintf("detail.resources[%d].ARN", i), key, raw); err != nil {
				return nil, err
			}
			e := deleted
			e.Object.Key, e.OtherKey = readingsOf(key, false)
			events = append(events, e)
		}
		i++
	}
	if events == nil {
		return nil, errors.New("the record of DeleteObjects does not say which objects were deleted; S3's own events do")
	}
	return events, nil
}
