package events

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// Attributes of a message from Cloud Storage, see
// https://cloud.google.com/storage/docs/pubsub-notifications.
const (
	gcsEventType     = "eventType"
	gcsBucket        = "bucketId"
	gcsObject        = "objectId"
	gcsGeneration    = "objectGeneration"
	gcsTime          = "eventTime"
	gcsFormat        = "payloadFormat"
	gcsOverwrittenBy = "overwrittenByGeneration"
)

// maxAttributes is Pub/Sub's own limit.
const maxAttributes = 100

// gcsResource is the object as the JSON API describes it. It is the body of the message
// if the notification's payload format says so.
type gcsResource struct {
	Bucket     string     `json:"bucket"`
	Name       string     `json:"name"`
	Generation identifier `json:"generation"`
	Size       size       `json:"size"`
	ETag       identifier `json:"etag"`
}

// isGCS reports whether the attributes are those of Cloud Storage.
func isGCS(attributes map[string]string) bool {
	return strings.HasPrefix(attributes[gcsEventType], "OBJECT_") ||
		attributes[gcsEventType] != "" && attributes[gcsBucket] != "" && attributes[gcsObject] != ""
}

// decodeGCS decodes a notification of Cloud Storage. The body completes the attributes and
// may be empty.
func decodeGCS(body []byte, attributes map[string]string) (pipeline.Event, error) {
	event := ignored(attributes[gcsEventType], "", parseMoment(attributes[gcsTime]))
	switch attributes[gcsEventType] {
	case "OBJECT_FINALIZE":
		event.Kind = pipeline.Created
	case "OBJECT_DELETE", "OBJECT_ARCHIVE":
		// The generation is gone, or is not the live one any more. If another
		// generation replaced it, the store sends an event of that one, too.
		if attributes[gcsOverwrittenBy] != "" {
			return event, nil
		}
		event.Kind = pipeline.Deleted
	case "OBJECT_METADATA_UPDATE":
		return event, nil
	default:
		return pipeline.Event{}, fmt.Errorf("GCS: events of the type %s are not read", quoted(attributes[gcsEventType]))
	}
	o, err := gcsObjectOf(body, attributes)
	if err != nil {
		return pipeline.Event{}, fmt.Errorf("GCS: %w", err)
	}
	event.Object = o
	return event, nil
}

func gcsObjectOf(body []byte, attributes map[string]string) (pipeline.Object, error) {
	var r gcsResource
	if body = bytes.TrimSpace(body); len(body) > 0 && attributes[gcsFormat] != "NONE" {
		if !utf8.Valid(body) {
			return pipeline.Object{}, errors.New("the body is not UTF-8")
		}
		if err := unmarshal("", body, &r); err != nil {
			return pipeline.Object{}, err
		}
	}
	r.Bucket = cmp.Or(attributes[gcsBucket], r.Bucket)
	r.Name = cmp.Or(attributes[gcsObject], r.Name)
	r.Generation = cmp.Or(identifierOf(attributes[gcsGeneration]), r.Generation)
	return r.object("bucketId", "objectId", body)
}

// object returns the object of the resource. bucket and name are the fields that have its names, raw
// is the JSON that they are in.
func (r gcsResource) object(bucket, name string, raw []byte) (pipeline.Object, error) {
	return pipeline.Object{
		Bucket:    r.Bucket,
		Key:       r.Name,
		VersionID: string(r.Generation),
		ETag:      r.ETag.etag(),
		Size:      r.Size.bytes(),
		Sequencer: generationSequencer(r.Generation),
	}, cmp.Or(checkName(bucket, r.Bucket, raw), checkName(name, r.Name, raw))
}

// generationSequencer returns a generation in a form that compares as a string: the
// generations of one object grow. It returns "" if generation is not a number.
func generationSequencer(generation identifier) string {
	n, err := strconv.ParseUint(string(generation), 10, 64)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%020d", n)
}

// decodePubSub opens a message of Pub/Sub that a push subscription or a forwarder wrote as
// JSON, see https://cloud.google.com/pubsub/docs/push. Its data is base64 or plain JSON.
func (o *opening) decodePubSub(raw []byte) ([]pipeline.Event, error) {
	var m struct {
		Attributes json.RawMessage `json:"attributes"`
		Data       json.RawMessage `json:"data"`
	}
	if err := unmarshal("message", raw, &m); err != nil {
		return nil, fmt.Errorf("Pub/Sub: %w", err)
	}
	attributes, err := pubSubAttributes(m.Attributes)
	if err != nil {
		return nil, fmt.Errorf("Pub/Sub: %w", err)
	}
	for name, value := range attributes {
		if mangled(value, raw) {
			return nil, fmt.Errorf("Pub/Sub: attribute %s contains half of a surrogate pair", readable.Cut(name, maxName))
		}
	}
	data := []byte(m.Data)
	switch {
	case bytes.Equal(data, []byte("null")):
		data = nil
	case bytes.HasPrefix(data, []byte(`"`)):
		var decoded []byte // encoding/json reads base64 into bytes
		if err := json.Unmarshal(data, &decoded); err != nil {
			return nil, errors.New("Pub/Sub: data is neither JSON nor base64")
		}
		data = decoded
	}
	events, err := o.wrapped(data, attributes)
	if err != nil {
		return events, fmt.Errorf("Pub/Sub: %w", err)
	}
	return events, nil
}

// pubSubAttributes decodes the attributes of a message; raw is nil if it has none.
func pubSubAttributes(raw json.RawMessage) (attributes map[string]string, err error) {
	if raw == nil {
		return nil, nil
	}
	n := 0
	for range parts(raw) {
		if n++; n > maxAttributes {
			return nil, fmt.Errorf("it has more than %d attributes", maxAttributes)
		}
	}
	return attributes, unmarshal("message.attributes", raw, &attributes)
}
