package events

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline"
)

const s3Source = "aws.s3"

// eventBridgeEvent is the envelope of every event that EventBridge delivers.
type eventBridgeEvent struct {
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Time       moment          `json:"time"`
	Detail     json.RawMessage `json:"detail"`
}

// eventBridgeDetail is S3's part of an event, see
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html.
type eventBridgeDetail struct {
	Bucket struct {
		Name string `json:"name"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"`
		Size      *int64 `json:"size"`
		ETag      string `json:"etag"`
		VersionID string `json:"version-id"`
		Sequencer string `json:"sequencer"`
	} `json:"object"`
	DeletionType string `json:"deletion-type"`
}

var eventBridgeKinds = map[string]pipeline.Kind{
	"Object Created":           pipeline.Created,
	"Object Deleted":           pipeline.Deleted,
	"Object Restore Completed": pipeline.Restored,
}

func decodeEventBridge(body []byte) ([]pipeline.Event, error) {
	var e eventBridgeEvent
	if err := unmarshal("", body, &e); err != nil {
		return nil, fmt.Errorf("EventBridge: %w", err)
	}
	if e.DetailType == "" {
		return nil, errors.New("EventBridge: detail-type is missing")
	}
	if e.Source == s3Source && e.DetailType == "AWS API Call via CloudTrail" {
		events, err := decodeCloudTrail(e)
		if err != nil {
			return nil, fmt.Errorf("CloudTrail: %w", err)
		}
		return events, nil
	}
	kind, known := eventBridgeKinds[e.DetailType]
	if e.Source != s3Source || !known {
		return []pipeline.Event{ignored(e.DetailType, e.ID, e.Time)}, nil
	}
	event := pipeline.Event{Kind: kind, ID: e.ID, Name: e.DetailType, Time: e.Time.Time}
	var err error
	if event.Object, err = eventBridgeObject(e.Detail); err != nil {
		return nil, fmt.Errorf("EventBridge: %w", err)
	}
	event.Object.Key, event.OtherKey = readingsOf(event.Object.Key, false)
	return []pipeline.Event{event}, nil
}

func eventBridgeObject(raw json.RawMessage) (pipeline.Object, error) {
	var d eventBridgeDetail
	if err := unmarshal("detail", raw, &d); err != nil {
		return pipeline.Object{}, err
	}
	size, err := sizeOf("detail.object.size", d.Object.Size)
	if err := cmp.Or(
		checkName("detail.bucket.name", d.Bucket.Name, raw),
		checkName("detail.object.key", d.Object.Key, raw),
		err,
	); err != nil {
		return pipeline.Object{}, err
	}
	o := pipeline.Object{
		Bucket:    d.Bucket.Name,
		Key:       d.Object.Key,
		VersionID: d.Object.VersionID,
		ETag:      trimETag(d.Object.ETag),
		Size:      size,
		Sequencer: d.Object.Sequencer,
	}
	if d.DeletionType == "Delete Marker Created" {
		o.VersionID, o.ETag = "", "" // they are the marker's
	}
	return o, nil
}
