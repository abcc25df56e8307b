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
	EventID     string `json:"eventID"`
	EventTime   moment `json:"eventTime"`
	EventSource string `json:"eventSource"`
	EventName   string `json:"eventName"`
	ErrorCode   string `json:"errorCode"`
}

// cloudTrailObject has the other fields of a record whose call is about objects, see
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html.
// Records contain neither a size nor an ETag.
type cloudTrailObject struct {
	RequestParameters struct {
		BucketName string `json:"bucketName"`
		Key        string `json:"key"`
		VersionID  string `json:"versionId"`
	} `json:"requestParameters"`
	ResponseElements struct {
		VersionID string `json:"x-amz-version-id"`
	} `json:"responseElements"`
	Resources json.RawMessage `json:"resources"`
}

type cloudTrailResource struct {
	Type string `json:"type"`
	ARN  string `json:"ARN"`
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
	event := ignored(r.EventName, cmp.Or(r.EventID, e.ID), moment{r.EventTime.Time})
	if event.Time.IsZero() {
		event.Time = e.Time.Time
	}
	if r.EventSource != "s3.amazonaws.com" || r.ErrorCode != "" {
		return []pipeline.Event{event}, nil
	}
	switch r.EventName {
	case "PutObject", "CompleteMultipartUpload", "CopyObject":
		event.Kind = pipeline.Created
	case "DeleteObject", "DeleteObjects":
		event.Kind = pipeline.Deleted
	default:
		return []pipeline.Event{event}, nil
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
		event.Object.VersionID = o.ResponseElements.VersionID
	} else {
		// The version that the caller asked to delete. That of the response is the
		// delete marker's.
		event.Object.VersionID = o.RequestParameters.VersionID
	}
	return []pipeline.Event{event}, nil
}

// deletedTogether returns an event for each object that the record of a DeleteObjects call
// lists. CloudTrail does not promise that list. Without it the event is ignored.
func deletedTogether(deleted pipeline.Event, resources, raw json.RawMessage) ([]pipeline.Event, error) {
	var items []json.RawMessage
	if resources != nil {
		var err error
		if items, err = listOf("detail.resources", resources); err != nil {
			return nil, err
		}
	}
	var events []pipeline.Event
	for i, item := range items {
		var r cloudTrailResource
		if err := unmarshal(fmt.Sprintf("detail.resources[%d]", i), item, &r); err != nil {
			return nil, err
		}
		// arn:aws:s3:::BUCKET/KEY, where "aws" is the partition
		_, path, _ := strings.Cut(r.ARN, ":s3:::")
		bucket, key, _ := strings.Cut(path, "/")
		if r.Type != "AWS::S3::Object" || bucket != deleted.Object.Bucket || key == "" {
			continue
		}
		if err := checkName(fmt.Sprintf("detail.resources[%d].ARN", i), key, raw); err != nil {
			return nil, err
		}
		e := deleted
		e.Object.Key, e.OtherKey = readingsOf(key, false)
		events = append(events, e)
	}
	if events == nil {
		return []pipeline.Event{ignored(deleted.Name, deleted.ID, moment{deleted.Time})}, nil
	}
	return events, nil
}
