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
	ID         identifier      `json:"id"`
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
		Key       string     `json:"key"`
		Size      size       `json:"size"`
		ETag      identifier `json:"etag"`
		VersionID identifier `json:"version-id"`
		Sequencer identifier `json:"sequencer"`
	} `json:"object"`
	Reason            identifier `json:"reason"`
	DeletionType      identifier `json:"deletion-type"`
	RestoreExpiryTime identifier `json:"restore-expiry-time"`
}

// eventBridgeKinds holds all events of S3.
var eventBridgeKinds = map[string]pipeline.Kind{
	"Object Created":               pipeline.Created,
	"Object Deleted":               pipeline.Deleted,
	"Object Restore Completed":     pipeline.Restored,
	"Object Restore Initiated":     pipeline.Ignored,
	"Object Restore Expired":       pipeline.Ignored,
	"Object Storage Class Changed": pipeline.Ignored,
	"Object Access Tier Changed":   pipeline.Ignored,
	"Object ACL Updated":           pipeline.Ignored,
	"Object Tags Added":            pipeline.Ignored,
	"Object Tags Deleted":          pipeline.Ignored,
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
		return nil, fmt.Errorf("EventBridge: events of the source %s with the detail-type %s are not read", quoted(e.Source), quoted(e.DetailType))
	}
	event := ignored(e.DetailType, e.ID, e.Time)
	if kind == pipeline.Ignored {
		return []pipeline.Event{event}, nil
	}
	event.Kind = kind
	var err error
	if event.Object, event.OtherKey, _, err = detailObject("detail", e.Detail); err != nil {
		return nil, fmt.Errorf("EventBridge: %w", err)
	}
	return []pipeline.Event{event}, nil
}

// detailObject returns the object of a detail, the other reading of its key, and the detail.
func detailObject(path string, raw json.RawMessage) (o pipeline.Object, otherKey string, d eventBridgeDetail, err error) {
	if err := unmarshal(path, raw, &d); err != nil {
		return o, "", d, err
	}
	key, otherKey := readingsOf(d.Object.Key, false)
	if err := cmp.Or(
		checkName(path+".bucket.name", d.Bucket.Name, raw),
		checkName(path+".object.key", key, raw),
	); err != nil {
		return o, "", d, err
	}
	o = pipeline.Object{
		Bucket:    d.Bucket.Name,
		Key:       key,
		VersionID: string(d.Object.VersionID),
		ETag:      d.Object.ETag.etag(),
		Size:      d.Object.Size.bytes(),
		Sequencer: string(d.Object.Sequencer),
	}
	if d.DeletionType == "Delete Marker Created" {
		o.VersionID, o.ETag = "", "" // they are the marker's
	}
	return o, otherKey, d, nil
}

// decodeDetail decodes a detail without its event, as input transformers and Pipes with $.detail send
// it. It does not always say what happened. Then it counts as created, because the work for that begins
// with a look at the object.
func decodeDetail(body []byte) (pipeline.Event, error) {
	o, otherKey, d, err := detailObject("detail", body)
	if err != nil {
		return pipeline.Event{}, fmt.Errorf("EventBridge: %w", err)
	}
	event := ignored(cmp.Or(string(d.Reason), "detail"), "", moment{})
	event.Object, event.OtherKey = o, otherKey
	switch {
	case d.DeletionType != "", d.Reason == "DeleteObject", d.Reason == "Lifecycle Expiration":
		event.Kind = pipeline.Deleted
	case d.RestoreExpiryTime != "":
		event.Kind = pipeline.Restored
	default:
		event.Kind = pipeline.Created
	}
	return event, nil
}
