package events

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
)

// notificationRecord is a record of a notification, see
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html.
// MinIO, Ceph, versitygw and others send the same form, some with "s3:" before the event's
// name.
type notificationRecord struct {
	EventTime   moment          `json:"eventTime"`
	EventName   string          `json:"eventName"`
	EventSource string          `json:"eventSource"`
	S3          json.RawMessage `json:"s3"`
}

type notificationEntity struct {
	ConfigurationID string `json:"configurationId"`
	Bucket          struct {
		Name string `json:"name"`
		ARN  string `json:"arn"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"`
		Size      *int64 `json:"size"`
		ETag      string `json:"eTag"`
		VersionID string `json:"versionId"`
		Sequencer string `json:"sequencer"`
	} `json:"object"`
}

func decodeNotification(records json.RawMessage) ([]pipeline.Event, error) {
	events, err := each("Records", records, decodeRecord)
	if err != nil {
		return events, fmt.Errorf("S3 notification: %w", err)
	}
	return events, nil
}

func decodeRecord(raw []byte) (pipeline.Event, error) {
	var r notificationRecord
	if err := unmarshal("", raw, &r); err != nil {
		return pipeline.Event{}, err
	}
	if r.EventName == "" {
		return pipeline.Event{}, errors.New("eventName is missing")
	}
	event := ignored(r.EventName, "", r.EventTime)
	family, operation, _ := strings.Cut(strings.TrimPrefix(r.EventName, "s3:"), ":")
	switch {
	case family == "ObjectCreated", family == "ObjectSynced" && operation == "Create": // Ceph: created in another zone
		event.Kind = pipeline.Created
	case family == "ObjectRemoved", family == "LifecycleExpiration",
		family == "ObjectLifecycle" && strings.HasPrefix(operation, "Expiration:"): // Ceph's name for it
		event.Kind = pipeline.Deleted
	case family == "ObjectRestore" && operation == "Completed":
		event.Kind = pipeline.Restored
	default:
		return event, nil
	}
	o, other, err := notificationObject(r.EventSource, r.S3)
	if err != nil {
		return pipeline.Event{}, err
	}
	if event.Kind == pipeline.Deleted && operation != "Delete" {
		o.VersionID, o.ETag = "", "" // they are a delete marker's
	}
	event.Object, event.OtherKey = o, other
	return event, nil
}

// notificationObject returns the object of a record, and the other reading of its key.
func notificationObject(source string, raw json.RawMessage) (o pipeline.Object, other string, err error) {
	var s3 notificationEntity
	if err := unmarshal("s3", raw, &s3); err != nil {
		return pipeline.Object{}, "", err
	}
	plain := s3.isPlain(source)
	if plain {
		s3.Object.Sequencer = ""
		if s3.Object.Size != nil && *s3.Object.Size == 0 {
			s3.Object.Size = nil // versitygw reports 0 for every copy and every upload in parts
		}
	}
	s3.Object.Key, other = readingsOf(s3.Object.Key, !plain && !sendsPlainKeys[source])
	size, err := sizeOf("s3.object.size", s3.Object.Size)
	if err := cmp.Or(
		checkName("s3.bucket.name", s3.Bucket.Name, raw),
		checkName("s3.object.key", s3.Object.Key, raw),
		err,
	); err != nil {
		return pipeline.Object{}, "", err
	}
	return pipeline.Object{
		Bucket:    s3.Bucket.Name,
		Key:       s3.Object.Key,
		VersionID: s3.Object.VersionID,
		ETag:      trimETag(s3.Object.ETag),
		Size:      size,
		Sequencer: s3.Object.Sequencer,
	}, other, nil
}

// sendsPlainKeys holds further event sources that do not encode keys. The list only decides which
// reading comes first: both are tried.
var sendsPlainKeys = map[string]bool{"storj:s3": true, "scality:s3": true, "noobaa:s3": true}

// isPlain reports whether the record comes from a server that does not encode keys and
// whose sequencers do not show which event is newer. Ceph's sequencers are the bytes of a
// time in its processor's byte order; versitygw's are the digits, without padding, of a
// number that starts at 1 when the server starts. versitygw gives S3's event source, but its
// configurations have fixed ids and its ARNs begin with a slash.
func (e notificationEntity) isPlain(source string) bool {
	switch e.ConfigurationID {
	case "nats-global", "kafka-global", "rabbitmq-global", "webhook-global":
		return true
	}
	return source == "ceph:s3" || strings.HasPrefix(e.Bucket.ARN, "arn:aws:s3:::/")
}

// decodeTestEvent decodes the message that S3 sends when a notification is configured. It
// has no Records.
func decodeTestEvent(body []byte) (pipeline.Event, error) {
	var e struct {
		Event  string
		Bucket string
		Time   moment
	}
	if err := unmarshal("", body, &e); err != nil {
		return pipeline.Event{}, fmt.Errorf("S3 notification: %w", err)
	}
	if e.Event == "" {
		return pipeline.Event{}, errors.New("S3 notification: Event is missing")
	}
	event := ignored(e.Event, "", e.Time)
	event.Object.Bucket = e.Bucket
	return event, nil
}
