package events

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

const (
	// maxBody is the largest body that is decoded, in bytes: the limit of SQS.
	maxBody = 1 << 20
	// maxWraps is how many wrappings around an event are opened. Two topics in a row
	// occur, three may.
	maxWraps = 3
	// maxName is the length, in bytes, to which names that only people read are cut.
	maxName = 103
)

var _ pipeline.Decoder = Decode

// Decode returns the events of a message in any of the package's forms. An error is
// [pipeline.Permanent] and says which field is wrong. If only some events of a message
// are bad, Decode returns the others together with the error. Safe for concurrent use.
func Decode(body []byte, attributes map[string]string) ([]pipeline.Event, error) {
	events, err := new(opening).decode(body, attributes)
	events, unbounded := bounded(events)
	if err = cmp.Or(err, unbounded); err != nil {
		return events, pipeline.Permanent(fmt.Errorf("event: %w", err))
	}
	return events, nil
}

// opening is the decoding of one message. It counts what was opened, because wrappings and lists may
// contain each other.
type opening struct {
	wraps int // around what is being decoded
	items int // of lists, in the whole message
}

// wrapped decodes a message that another one contains.
func (o *opening) wrapped(body []byte, attributes map[string]string) ([]pipeline.Event, error) {
	if o.wraps == maxWraps {
		return nil, fmt.Errorf("wrapped more than %d times", maxWraps)
	}
	o.wraps++
	defer func() { o.wraps-- }()
	return o.decode(body, attributes)
}

// decode recognises the form of a message and decodes it.
func (o *opening) decode(body []byte, attributes map[string]string) ([]pipeline.Event, error) {
	if len(body) > maxBody {
		return nil, fmt.Errorf("the body has %d bytes, more than the limit of %d", len(body), maxBody)
	}
	if isGCS(attributes) {
		return one(decodeGCS(body, attributes))
	}
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return nil, errors.New("the body is empty")
	case !utf8.Valid(body):
		// encoding/json would decode the invalid bytes to U+FFFD, and thus a key to the
		// key of another object.
		return nil, errors.New("the body is not UTF-8")
	case body[0] == '[':
		return o.each("batch", body, o.decodeObject)
	}
	return o.decodeObject(body)
}

// decodeObject decodes a message that is a JSON object, or an item of one that is an array.
func (o *opening) decodeObject(body []byte) ([]pipeline.Event, error) {
	if err := unmarshal("", body, new(struct{})); err != nil {
		return nil, err
	}
	fields := telling(body)
	has := func(name string) bool { return fields[name] != nil }
	switch {
	case has("detail-type"):
		return decodeEventBridge(body)
	case has("Records"):
		return o.decodeNotification(fields["Records"])
	case has("Type") && (has("Message") || has("TopicArn")):
		return o.decodeSNS(body)
	case has("Event"):
		return one(decodeTestEvent(body))
	case has("specversion"), has("cloudEventsVersion"), has("eventType"):
		return o.decodeCloudEvent(body)
	case has("s3") && has("eventName"):
		return notificationError(one(decodeRecord(body)))
	case has("bucket") && has("object"):
		return one(decodeDetail(body))
	case has("events"):
		return o.decodeOSS(fields["events"])
	case has("message"):
		return o.decodePubSub(fields["message"])
	case has("body") && has("messageId"):
		return o.decodeQueued(fields["body"])
	case has("attributes"):
		return o.decodePubSub(body)
	case string(fields["kind"]) == `"storage#object"`:
		return nil, errors.New("GCS: the message has no attribute eventType, which says what happened to the object")
	}
	return nil, fmt.Errorf("unknown form: a JSON object %s", fieldNames(body))
}

// telling returns the fields of a message that tell its form. Their names have to match
// exactly: in a struct, encoding/json would decode "type" into a field Type. In a map it would
// copy every field. A null is absent, except as the list of records, which some languages write for
// an empty one.
func telling(body []byte) map[string]json.RawMessage {
	fields := make(map[string]json.RawMessage, 2)
	for name, value := range members(body) {
		switch name := string(name); name {
		case "detail-type", "Type", "Message", "TopicArn", "Event", "specversion", "cloudEventsVersion", "eventType", "message",
			"attributes", "kind", "eventName", "s3", "bucket", "object", "events", "body", "messageId":
			delete(fields, name) // the last of several counts
			if !isNull(value) {
				fields[name] = value
			}
		case "Records":
			fields[name] = value
		}
	}
	return fields
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

// decodeQueued opens a message of SQS as EventBridge Pipes forwards it: its body is a string, or JSON
// that Pipes parsed.
func (o *opening) decodeQueued(body json.RawMessage) ([]pipeline.Event, error) {
	if body[0] == '"' {
		var text string
		_ = json.Unmarshal(body, &text) // it is valid
		if mangled(text, body) {
			return nil, errors.New("SQS: body contains half of a surrogate pair")
		}
		body = []byte(text)
	}
	events, err := o.wrapped(body, nil)
	if err != nil {
		return events, fmt.Errorf("SQS: body: %w", err)
	}
	return events, nil
}

// fieldNames lists a few of the names of a message for an error message.
func fieldNames(body []byte) string {
	var names []string
	n := 0
	for name := range members(body) {
		if n++; n <= 50 {
			names = append(names, string(name))
		}
	}
	switch {
	case n == 0:
		return "without fields"
	case n > 50: // the time must stay linear, and sorting is not
		return fmt.Sprintf("with %d fields", n)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	const most = 5
	more := ""
	if len(names) > most {
		names, more = names[:most], ", …"
	}
	for i, name := range names {
		names[i] = strconv.Quote(readable.Cut(name, 23))
	}
	return "with the fields " + strings.Join(names, ", ") + more
}

func one(e pipeline.Event, err error) ([]pipeline.Event, error) {
	if err != nil {
		return nil, err
	}
	return []pipeline.Event{e}, nil
}

// each decodes the items of a list. It returns the events of the good items also if
// others are bad. The error is that of the first bad item. It returns nothing of a message that has
// too many items.
func (o *opening) each(list string, raw json.RawMessage, decode func([]byte) ([]pipeline.Event, error)) ([]pipeline.Event, error) {
	if err := o.count(list, raw); err != nil {
		return nil, err
	}
	var events []pipeline.Event
	var first error
	items, bad := 0, 0
	for item := range parts(raw) {
		decoded, err := decode(item)
		if errors.As(err, new(tooManyError)) {
			return nil, err
		}
		events = append(events, decoded...)
		if err != nil {
			if bad++; bad == 1 {
				first = fmt.Errorf("%s[%d]: %w", list, items, err)
			}
		}
		items++
	}
	if bad > 1 {
		first = fmt.Errorf("%w (the first of %d bad items of %d)", first, bad, items)
	}
	if items == 0 { // a known form that says that nothing happened
		events = []pipeline.Event{ignored("no events", "", moment{})}
	}
	return events, first
}

// bounded leaves out events whose bucket or key is longer than any store's. The error is that
// of the first one.
func bounded(events []pipeline.Event) ([]pipeline.Event, error) {
	var first error
	within := slices.DeleteFunc(events, func(e pipeline.Event) bool {
		err := checkLengths(e)
		first = cmp.Or(first, err)
		return err != nil
	})
	return within, first
}

func checkLengths(e pipeline.Event) error {
	for _, field := range []struct {
		name, value string
		most        int
	}{
		{"bucket's name", e.Object.Bucket, pipeline.MaxBucketName},
		{"key", e.Object.Key, pipeline.MaxKey},
	} {
		if n := len(field.value); n > field.most {
			return fmt.Errorf("the %s has %d bytes, more than the limit of %d", field.name, n, field.most)
		}
	}
	return nil
}

// ignored returns an event that requires no work.
func ignored(name string, id identifier, at moment) pipeline.Event {
	return pipeline.Event{
		Kind:   pipeline.Ignored,
		Object: pipeline.Object{Size: pipeline.UnknownSize},
		ID:     string(id),
		Name:   readable.Cut(strings.ToValidUTF8(name, "\uFFFD"), maxName),
		Time:   at.Time,
	}
}

// named returns an event without its object. kindOf says what its name asks for, and whether the name is a known one.
func named(name string, at moment, kindOf func(name string) (kind pipeline.Kind, known bool)) (pipeline.Event, error) {
	if name == "" {
		return pipeline.Event{}, errors.New("eventName is missing")
	}
	kind, known := kindOf(name)
	if !known {
		return pipeline.Event{}, fmt.Errorf("events of the name %s are not read", quoted(name))
	}
	event := ignored(name, "", at)
	event.Kind = kind
	return event, nil
}
