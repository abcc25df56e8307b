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
	EventSource identifier      `json:"eventSource"`
	S3          json.RawMessage `json:"s3"`
}

type notificationEntity struct {
	ConfigurationID identifier `json:"configurationId"`
	Bucket          struct {
		Name string     `json:"name"`
		ARN  identifier `json:"arn"`
	} `json:"bucket"`
	Object struct {
		Key       string     `json:"key"`
		Size      size       `json:"size"`
		ETag      identifier `json:"eTag"`
		VersionID identifier `json:"versionId"`
		Sequencer identifier `json:"sequencer"`
	} `json:"object"`
}

func (o *opening) decodeNotification(records json.RawMessage) ([]pipeline.Event, error) {
	return notificationError(o.each("Records", records, func(raw []byte) ([]pipeline.Event, error) {
		return one(decodeRecord(raw))
	}))
}

func notificationError(events []pipeline.Event, err error) ([]pipeline.Event, error) {
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
	event, err := named(r.EventName, r.EventTime, notificationKind)
	if err != nil || event.Kind == pipeline.Ignored {
		return event, err
	}
	if event.Object, event.OtherKey, err = notificationObject(r.EventSource, r.S3); err != nil {
		return pipeline.Event{}, err
	}
	if event.Kind == pipeline.Deleted && !strings.HasSuffix(r.EventName, ":Delete") {
		event.Object.VersionID, event.Object.ETag = "", "" // they are a delete marker's
	}
	return event, nil
}

// notificationKind returns what an event's name says, and whether it is one of Amazon S3, MinIO, Ceph
// or of those who copy them. A name that is in no list may ask for work.
func notificationKind(name string) (kind pipeline.Kind, known bool) {
	family, operation, _ := strings.Cut(strings.TrimPrefix(name, "s3:"), ":")
	switch family {
	case "ObjectCreated":
		return pipeline.Created, true
	case "ObjectRemoved", "LifecycleExpiration", "LifecycleDelMarkerExpiration": // the last is MinIO's
		return pipeline.Deleted, true
	case "ObjectRestore":
		switch operation {
		case "Completed":
			return pipeline.Restored, true
		case "Post", "Delete": // asked for, and over
			return pipeline.Ignored, true
		}
	case "ObjectSynced", "Replication": // Ceph's names for what another zone did
		switch operation {
		case "Create":
			return pipeline.Created, true
		case "Delete", "DeletionMarkerCreated":
			return pipeline.Deleted, true
		}
		return pipeline.Ignored, strings.HasPrefix(operation, "Operation") // Amazon's are about the copy
	case "ObjectLifecycle": // Ceph's
		expired := strings.HasPrefix(operation, "Expiration:")
		if expired && !strings.Contains(operation, ":Abort") {
			return pipeline.Deleted, true
		}
		return pipeline.Ignored, expired || strings.HasPrefix(operation, "Transition:")
	case "TestEvent", "ObjectTagging", "ObjectAcl", "LifecycleTransition", "IntelligentTiering", "ReducedRedundancyLostObject":
		return pipeline.Ignored, true
	case "ObjectAccessed", "ObjectTransition", "BucketCreated", "BucketRemoved", "Scanner": // MinIO's
		return pipeline.Ignored, true
	}
	return pipeline.Ignored, false
}

// sendsPlainKeys holds event sources that do not encode keys, besides those of isPlain. The list only
// decides which reading comes first: both are tried.
var sendsPlainKeys = map[identifier]bool{"storj:s3": true, "scality:s3": true, "noobaa:s3": true}

// notificationObject returns the object of a record, and the other reading of its key.
func notificationObject(source identifier, raw json.RawMessage) (o pipeline.Object, otherKey string, err error) {
	var s3 notificationEntity
	if err := unmarshal("s3", raw, &s3); err != nil {
		return pipeline.Object{}, "", err
	}
	plain := s3.isPlain(source)
	if plain {
		s3.Object.Sequencer = ""
		if s3.Object.Size.n == 0 {
			s3.Object.Size.known = false // versitygw reports 0 for every copy and every upload in parts
		}
	}
	key, otherKey := readingsOf(s3.Object.Key, !plain && !sendsPlainKeys[source])
	return pipeline.Object{
			Bucket:    s3.Bucket.Name,
			Key:       key,
			VersionID: string(s3.Object.VersionID),
			ETag:      s3.Object.ETag.etag(),
			Size:      s3.Object.Size.bytes(),
			Sequencer: string(s3.Object.Sequencer),
		}, otherKey, cmp.Or(
			checkName("s3.bucket.name", s3.Bucket.Name, raw),
			checkName("s3.object.key", key, raw),
		)
}

// isPlain reports whether the record comes from a server that does not encode keys and
// whose sequencers do not show which event is newer. Ceph's sequencers are the bytes of a
// time in its processor's byte order; versitygw's are the digits, without padding, of a
// number that starts at 1 when the server starts. versitygw gives S3's event source, but its
// configurations have fixed ids and its ARNs begin with a slash.
func (e notificationEntity) isPlain(source identifier) bool {
	switch e.ConfigurationID {
	case "nats-global", "kafka-global", "rabbitmq-global", "webhook-global":
		return true
	}
	return source == "ceph:s3" || strings.HasPrefix(string(e.Bucket.ARN), "arn:aws:s3:::/")
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
	if e.Event != "s3:TestEvent" {
		return pipeline.Event{}, fmt.Errorf("S3 notification: Event is %s, which is not read", quoted(e.Event))
	}
	event := ignored(e.Event, "", e.Time)
	event.Object.Bucket = e.Bucket
	return event, nil
}
