package events

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
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
	// maxIdentifier is the longest version id, ETag, sequencer or event id, in bytes. S3's
	// version ids, the longest, may have 1,024.
	maxIdentifier = 1024
)

var _ pipeline.Decoder = Decode

// Decode returns the events of a message in any of the package's forms. An error is
// [pipeline.Permanent] and says which field is wrong. If only some events of a message
// are bad, Decode returns the others together with the error. Safe for concurrent use.
func Decode(body []byte, attributes map[string]string) ([]pipeline.Event, error) {
	events, err := decode(body, attributes, 0)
	events, unbounded := bounded(events)
	if err = cmp.Or(err, unbounded); err != nil {
		return events, pipeline.Permanent(fmt.Errorf("event: %w", err))
	}
	return events, nil
}

// decode recognises the form and decodes it. wraps is how many wrappings were opened
// already.
func decode(body []byte, attributes map[string]string, wraps int) ([]pipeline.Event, error) {
	if wraps > maxWraps {
		return nil, fmt.Errorf("wrapped more than %d times", maxWraps)
	}
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
		return decodeEventGridBatch(body)
	}
	if err := unmarshal("", body, new(struct{})); err != nil {
		return nil, err
	}
	fields := telling(body)
	has := func(name string) bool { return fields[name] != nil }
	switch {
	case has("detail-type"):
		return decodeEventBridge(body)
	case has("Records"):
		return decodeNotification(fields["Records"])
	case has("Type") && (has("Message") || has("TopicArn")):
		return decodeSNS(body, wraps)
	case has("Event"):
		return one(decodeTestEvent(body))
	case has("specversion"), has("eventType"):
		return one(decodeEventGrid(body))
	case has("message"):
		return decodePubSub(fields["message"], wraps)
	case has("attributes"):
		return decodePubSub(body, wraps)
	case string(fields["kind"]) == `"storage#object"`:
		return nil, errors.New("GCS: the message has no attribute eventType, which says what happened to the object")
	}
	return nil, fmt.Errorf("unknown form: a JSON object %s", fieldNames(body))
}

// telling returns the fields of a message that tell its form. Their names have to match
// exactly: in a struct, encoding/json would decode "type" into a field Type. In a map it would
// copy every field.
func telling(body []byte) map[string]json.RawMessage {
	fields := make(map[string]json.RawMessage, 2)
	for name, value := range members(body) {
		switch name := string(name); name {
		case "detail-type", "Records", "Type", "Message", "TopicArn", "Event", "specversion", "eventType", "message", "attributes", "kind":
			fields[name] = value
		}
	}
	return fields
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
// others are bad. The error is that of the first bad item. It decodes nothing of a list that is
// too long.
func each(list string, raw json.RawMessage, decode func([]byte) (pipeline.Event, error)) ([]pipeline.Event, error) {
	items, err := listOf(list, raw)
	switch {
	case err != nil:
		return nil, err
	case len(items) == 0:
		// Not a success: the message would be acknowledged and leave no trace.
		return nil, fmt.Errorf("%s is empty", list)
	}
	var events []pipeline.Event
	var first error
	for i, item := range items {
		e, err := decode(item)
		switch {
		case err == nil:
			events = append(events, e)
		case first == nil:
			first = fmt.Errorf("%s[%d]: %w", list, i, err)
		}
	}
	if bad := len(items) - len(events); bad > 1 {
		first = fmt.Errorf("%w (the first of %d bad items of %d)", first, bad, len(items))
	}
	return events, first
}

// unmarshal is json.Unmarshal with errors for operators: they name the field as
// the message does and never quote what was in it. path is where raw was found,
// empty for a whole message.
func unmarshal(path string, raw []byte, v any) error {
	if path != "" && raw == nil {
		return fmt.Errorf("%s is missing", path)
	}
	err := json.Unmarshal(raw, v)
	if e := (*json.UnmarshalTypeError)(nil); errors.As(err, &e) {
		// The rest of Value may be a number of a million digits.
		got, _, _ := strings.Cut(e.Value, " ")
		fault := fmt.Errorf("%s where %s belongs", article(got), jsonKind(e.Type))
		if field := strings.Trim(path+"."+e.Field, "."); field != "" {
			fault = fmt.Errorf("%s is %w", field, fault)
		}
		return fault
	}
	if e := (*json.SyntaxError)(nil); errors.As(err, &e) {
		return fmt.Errorf("not JSON at byte %d: %w", e.Offset, e)
	}
	return err
}

// jsonKind returns JSON's name for values of a Go type.
func jsonKind(t reflect.Type) string {
	switch kind := t.Kind().String(); kind {
	case "struct", "map":
		return "an object"
	case "slice":
		return "an array"
	case "int64":
		return "a whole number"
	default:
		return article(kind)
	}
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// checkName returns an error if the name cannot be that of a bucket or an object. raw is
// the JSON that contained it, or nil.
func checkName(field, name string, raw []byte) error {
	switch {
	case name == "":
		return fmt.Errorf("%s is missing", field)
	case !utf8.ValidString(name):
		return fmt.Errorf("%s is not UTF-8", field)
	case mangled(name, raw):
		return fmt.Errorf("%s contains half of a surrogate pair", field)
	}
	return nil
}

// mangled reports whether encoding/json may have decoded an escaped half of a surrogate
// pair in raw to a U+FFFD in s.
func mangled(s string, raw []byte) bool {
	if !strings.ContainsRune(s, utf8.RuneError) {
		return false
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		unit := escapedUnit(raw[i:])
		switch {
		case unit>>10 == 0xD800>>10 && escapedUnit(raw[i+6:])>>10 == 0xDC00>>10:
			i += 11
		case unit>>11 == 0xD800>>11:
			return true
		default:
			i++ // the escaped character, which may be a backslash
		}
	}
	return false
}

// escapedUnit returns the UTF-16 unit of a \uXXXX at the start of raw, or 0 if there is
// none.
func escapedUnit(raw []byte) uint64 {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0
	}
	unit, _ := strconv.ParseUint(string(raw[2:6]), 16, 16)
	return unit
}

// moment is a time that is zero if it is malformed. No work depends on it.
type moment struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (m *moment) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*m = parseMoment(s)
	}
	return nil
}

func parseMoment(s string) moment {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return moment{}
	}
	return moment{t.UTC()}
}

// sizeOf returns the size in bytes that a field gives, or [pipeline.UnknownSize].
func sizeOf(field string, given *int64) (int64, error) {
	switch {
	case given == nil:
		return pipeline.UnknownSize, nil
	case *given < 0:
		return 0, fmt.Errorf("%s is negative", field)
	}
	return *given, nil
}

// trimETag returns the ETag without HTTP's quotes and W/.
func trimETag(s string) string {
	return strings.Trim(strings.TrimPrefix(s, "W/"), `"`)
}

// bounded leaves out events with a field that is longer than any store's. The error is that
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
	o := e.Object
	for _, field := range []struct {
		name, value string
		most        int
	}{
		{"bucket's name", o.Bucket, pipeline.MaxBucketName},
		{"key", o.Key, pipeline.MaxKey},
		{"version id", o.VersionID, maxIdentifier},
		{"ETag", o.ETag, maxIdentifier},
		{"sequencer", o.Sequencer, maxIdentifier},
		{"event's id", e.ID, maxIdentifier},
	} {
		if n := len(field.value); n > field.most {
			return fmt.Errorf("the %s has %d bytes, more than the limit of %d", field.name, n, field.most)
		}
	}
	return nil
}

// ignored returns an event that requires no work.
func ignored(name, id string, at moment) pipeline.Event {
	return pipeline.Event{
		Kind:   pipeline.Ignored,
		Object: pipeline.Object{Size: pipeline.UnknownSize},
		ID:     id,
		Name:   readable.Cut(strings.ToValidUTF8(name, "\uFFFD"), maxName),
		Time:   at.Time,
	}
}
