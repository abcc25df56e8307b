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
	Bucket     string      `json:"bucket"`
	Name       string      `json:"name"`
	Generation json.Number `json:"generation"` // quoted or not
	Size       json.Number `json:"size"`
	ETag       string      `json:"etag"`
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
		// generation replaced it, that one has an event of its own.
		if attributes[gcsOverwrittenBy] == "" {
			event.Kind = pipeline.Deleted
		}
	}
	if event.Kind == pipeline.Ignored {
		return event, nil
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
	o := pipeline.Object{
		Bucket:    cmp.Or(attributes[gcsBucket], r.Bucket),
		Key:       cmp.Or(attributes[gcsObject], r.Name),
		VersionID: cmp.Or(attributes[gcsGeneration], r.Generation.String()),
		ETag:      trimETag(r.ETag),
		Size:      pipeline.UnknownSize,
	}
	o.Sequencer = generationSequencer(o.VersionID)
	if err := cmp.Or(
		checkName("bucketId", o.Bucket, body),
		checkName("objectId", o.Key, body),
	); err != nil {
		return pipeline.Object{}, err
	}
	if r.Size != "" {
		size, err := r.Size.Int64()
		if err != nil || size < 0 {
			return pipeline.Object{}, errors.New("size is not a number of bytes")
		}
		o.Size = size
	}
	return o, nil
}

// generationSequencer returns a generation in a form that compares as a string: the
// generations of one object grow. It returns "" if generation is not a number.
func generationSequencer(generation string) string {
	n, err := strconv.ParseUint(generation, 10, 64)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%020d", n)
}

// decodePubSub opens a message of Pub/Sub that a push subscription or a forwarder wrote as
// JSON, see https://cloud.google.com/pubsub/docs/push. Its data is base64 or plain JSON.
func decodePubSub(raw []byte, wraps int) ([]pipeline.Event, error) {
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
	events, err := decode(data, attributes, wraps+1)
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
