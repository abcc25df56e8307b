package events

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
)

// cloudEvent is an event of CloudEvents 1.0 in JSON, of CloudEvents 0.1, which Oracle sends, or of
// Event Grid's own schema.
type cloudEvent struct {
	SpecVersion json.RawMessage `json:"specversion"` // CloudEvents 1.0
	ID          identifier      `json:"id"`
	Source      string          `json:"source"`
	Subject     string          `json:"subject"`
	Type        string          `json:"type"`
	Time        moment          `json:"time"`
	Data        json.RawMessage `json:"data"`
	Base64      []byte          `json:"data_base64"`

	EventType string     `json:"eventType"` // Event Grid and CloudEvents 0.1
	EventTime moment     `json:"eventTime"`
	EventID   identifier `json:"eventID"`
}

func (e cloudEvent) isCloudEvent() bool { return e.SpecVersion != nil && !isNull(e.SpecVersion) }

// name returns what happened.
func (e cloudEvent) name() string {
	if e.isCloudEvent() {
		return e.Type
	}
	return e.EventType
}

func (e cloudEvent) at() moment {
	if e.isCloudEvent() {
		return e.Time
	}
	return e.EventTime
}

func (e cloudEvent) notRead() error {
	return fmt.Errorf("events of the type %s are not read", quoted(e.name()))
}

func (o *opening) decodeCloudEvent(raw []byte) ([]pipeline.Event, error) {
	form := "Event Grid"
	var e cloudEvent
	err := unmarshal("", raw, &e)
	switch {
	case e.isCloudEvent():
		form = "CloudEvents"
	case strings.HasPrefix(e.EventType, oracle):
		form = "Oracle"
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", form, err)
	}
	if e.name() == "" {
		return nil, fmt.Errorf("%s: %s is missing", form, map[bool]string{true: "type", false: "eventType"}[e.isCloudEvent()])
	}
	if e.Data == nil && json.Valid(e.Base64) && utf8.Valid(e.Base64) {
		e.Data, raw = e.Base64, slices.Concat(raw, e.Base64)
	}
	events, err := o.decodeTyped(e, raw)
	if err != nil {
		return events, fmt.Errorf("%s: %w", form, err)
	}
	return events, nil
}

const (
	google  = "google.cloud.storage.object.v1."
	oracle  = "com.oraclecloud.objectstorage."
	alibaba = "oss:"
)

// decodeTyped decodes an event by its type. An event of any other type that contains an event of S3 is a
// wrapping around it, as brokers with sources for queues make it.
func (o *opening) decodeTyped(e cloudEvent, raw []byte) ([]pipeline.Event, error) {
	name := e.name()
	switch {
	case strings.HasPrefix(name, "Microsoft."):
		return decodeBlob(e, raw)
	case strings.HasPrefix(name, google):
		return one(decodeGoogle(e, raw))
	case strings.HasPrefix(name, oracle):
		return one(decodeOracle(e))
	case strings.HasPrefix(name, alibaba):
		return one(decodeOSSEvent(e.Data))
	case name == shards && e.isCloudEvent():
		return one(decodeShard(e))
	case strings.HasPrefix(name, results): // in the queue of events
		return []pipeline.Event{ignored(name, e.ID, e.at())}, nil
	}
	inner := telling(e.Data)
	has := func(name string) bool { return inner[name] != nil }
	switch {
	case has("Records"), has("detail-type"), has("s3") && has("eventName"):
		events, err := o.wrapped(e.Data, nil)
		if err != nil {
			return events, fmt.Errorf("data: %w", err)
		}
		return events, nil
	case strings.HasPrefix(name, "com.amazonaws.s3."), strings.HasPrefix(name, "com.amazon.s3."):
		return one(decodeWrappedS3(e))
	}
	return nil, e.notRead()
}

var googleKinds = map[string]pipeline.Kind{
	"finalized": pipeline.Created, "deleted": pipeline.Deleted, "archived": pipeline.Deleted, "metadataUpdated": pipeline.Ignored,
}

// decodeGoogle decodes an event of Cloud Storage, see
// https://github.com/googleapis/google-cloudevents/tree/main/proto/google/events/cloud/storage.
func decodeGoogle(e cloudEvent, raw []byte) (pipeline.Event, error) {
	kind, known := googleKinds[strings.TrimPrefix(e.name(), google)]
	if !known {
		return pipeline.Event{}, e.notRead()
	}
	event := ignored(e.name(), e.ID, e.at())
	if kind == pipeline.Ignored {
		return event, nil
	}
	var r gcsResource
	if e.Data != nil { // the attributes name the object, too
		if err := unmarshal("data", e.Data, &r); err != nil {
			return pipeline.Event{}, err
		}
	}
	_, bucket, _ := strings.Cut(e.Source, "/buckets/")
	r.Bucket = cmp.Or(r.Bucket, bucket)
	r.Name = cmp.Or(r.Name, strings.TrimPrefix(e.Subject, "objects/"))
	var err error
	event.Kind = kind
	event.Object, err = r.object("data.bucket", "data.name", raw)
	return event, err
}

var oracleKinds = map[string]pipeline.Kind{
	"createobject": pipeline.Created, "updateobject": pipeline.Created, "deleteobject": pipeline.Deleted,
	"createbucket": pipeline.Ignored, "updatebucket": pipeline.Ignored, "deletebucket": pipeline.Ignored,
}

// decodeOracle decodes an event of Oracle's Object Storage, see
// https://docs.oracle.com/iaas/Content/Events/Reference/eventsproducers.htm. It has no size.
func decodeOracle(e cloudEvent) (pipeline.Event, error) {
	kind, known := oracleKinds[strings.TrimPrefix(e.name(), oracle)]
	if !known {
		return pipeline.Event{}, e.notRead()
	}
	event := ignored(e.name(), cmp.Or(e.EventID, e.ID), e.at())
	if kind == pipeline.Ignored {
		return event, nil
	}
	var data struct {
		ResourceName      string `json:"resourceName"`
		AdditionalDetails struct {
			BucketName string     `json:"bucketName"`
			ETag       identifier `json:"eTag"`
			VersionID  identifier `json:"versionId"`
		} `json:"additionalDetails"`
	}
	if err := unmarshal("data", e.Data, &data); err != nil {
		return pipeline.Event{}, err
	}
	event.Kind = kind
	event.Object.Bucket = data.AdditionalDetails.BucketName
	event.Object.Key, event.OtherKey = readingsOf(data.ResourceName, false)
	event.Object.ETag = data.AdditionalDetails.ETag.etag()
	event.Object.VersionID = string(data.AdditionalDetails.VersionID)
	return event, cmp.Or(
		checkName("data.additionalDetails.bucketName", event.Object.Bucket, e.Data),
		checkName("data.resourceName", event.Object.Key, e.Data),
	)
}

// decodeWrappedS3 decodes an event of S3 that an adapter cut to its object. Adapters agree neither on its
// names nor on the kinds. The type says what happened.
func decodeWrappedS3(e cloudEvent) (pipeline.Event, error) {
	event := ignored(e.name(), e.ID, e.at())
	switch lower := strings.ToLower(e.name()); {
	case strings.Contains(lower, "created"):
		event.Kind = pipeline.Created
	case strings.Contains(lower, "removed"), strings.Contains(lower, "deleted"):
		event.Kind = pipeline.Deleted
	default:
		return pipeline.Event{}, e.notRead()
	}
	var err error
	if bucket := telling(e.Data)["bucket"]; bytes.HasPrefix(bucket, []byte("{")) {
		event.Object, event.OtherKey, _, err = detailObject("data", e.Data)
		return event, err
	}
	var data struct {
		Bucket    string     `json:"bucket"`
		Key       string     `json:"key"`
		Object    string     `json:"object"`
		Size      size       `json:"size"`
		ETag      identifier `json:"etag"`
		VersionID identifier `json:"versionId"`
	}
	if err := unmarshal("data", e.Data, &data); err != nil {
		return pipeline.Event{}, err
	}
	event.Object = pipeline.Object{
		Bucket: data.Bucket, Size: data.Size.bytes(), ETag: data.ETag.etag(), VersionID: string(data.VersionID),
	}
	event.Object.Key, event.OtherKey = readingsOf(cmp.Or(data.Key, data.Object), false)
	return event, cmp.Or(
		checkName("data.bucket", event.Object.Bucket, e.Data),
		checkName("data.key", event.Object.Key, e.Data),
	)
}
