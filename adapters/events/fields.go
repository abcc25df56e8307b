package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// maxIdentifier is the longest version id, ETag, sequencer or event id, in bytes. S3's
// version ids, the longest, may have 1,024.
const maxIdentifier = 1024

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

// quoted returns a name from a message for an error message.
func quoted(name string) string {
	const most = 63
	return strconv.Quote(readable.Cut(strings.ToValidUTF8(name, "\uFFFD"), most))
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

// identifier is a version id, an ETag, a sequencer or the like. Some senders write it as a number.
// It is empty if it is anything else, or longer than any store's: an event without it only costs a
// look at the object more.
type identifier string

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (id *identifier) UnmarshalJSON(raw []byte) error {
	var s string
	switch raw[0] {
	case '"':
		_ = json.Unmarshal(raw, &s) // it is valid
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		s = string(raw)
	}
	*id = identifierOf(s)
	return nil
}

func identifierOf(s string) identifier {
	if len(s) > maxIdentifier {
		return ""
	}
	return identifier(s)
}

// etag returns an ETag without HTTP's quotes, W/ and the escaping of HTML.
func (id identifier) etag() string {
	return strings.Trim(strings.TrimPrefix(html.UnescapeString(string(id)), "W/"), `"`)
}

// size is a number of bytes, quoted or not. Anything else counts as unknown, because the store is
// asked for the size.
type size struct {
	n     int64
	known bool
}

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (s *size) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	*s = size{n, err == nil && n >= 0}
	return nil
}

func (s size) bytes() int64 {
	if !s.known {
		return pipeline.UnknownSize
	}
	return s.n
}

// readingsOf returns the key that an event of S3's forms spells, and its other reading: form-decoded and
// as it stands, or the other way round. encoded says that the form documents the first. A spelling that no
// key can be is no reading, so that a key that does not decode is read as it stands. other is empty if there
// is one reading only.
func readingsOf(spelled string, encoded bool) (key, other string) {
	decoded, err := url.QueryUnescape(spelled)
	switch {
	case err != nil, decoded == spelled, !isKey(decoded):
		return spelled, ""
	case !isKey(spelled):
		return decoded, ""
	case encoded:
		return decoded, spelled
	}
	return spelled, decoded
}

func isKey(s string) bool { return s != "" && len(s) <= pipeline.MaxKey && utf8.ValidString(s) }
