package sweep

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Files may have names that are not UTF-8, and JSON has no other strings. Such a name or position has U+FFFD in its
// usual field, for people, and its bytes in another one.

// otherBytes returns the bytes of a text that JSON cannot hold; nil if it can.
func otherBytes(text string) []byte {
	if utf8.ValidString(text) {
		return nil
	}
	return []byte(text)
}

// exact returns a text that was read from JSON, by its bytes if it has some.
func exact(text string, other []byte) string {
	if len(other) > 0 {
		return string(other)
	}
	return text
}

type plainRow Row

type wireRow struct {
	*plainRow
	KeyBytes  []byte `json:"key_base64,omitempty"`
	FromBytes []byte `json:"from_base64,omitempty"`
	AtBytes   []byte `json:"at_base64,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (r Row) MarshalJSON() ([]byte, error) {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false) // the caller decides
	err := e.Encode(wireRow{(*plainRow)(&r), otherBytes(r.Key), otherBytes(r.From), otherBytes(r.At)})
	return line.Bytes(), err
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *Row) UnmarshalJSON(text []byte) error {
	wire := wireRow{plainRow: (*plainRow)(r)}
	if err := json.Unmarshal(text, &wire); err != nil {
		return err
	}
	r.Key, r.From, r.At = exact(r.Key, wire.KeyBytes), exact(r.From, wire.FromBytes), exact(r.At, wire.AtBytes)
	return nil
}

type wireRange struct {
	After        string `json:"after,omitempty"`
	AfterBytes   []byte `json:"after_base64,omitempty"`
	Through      string `json:"through,omitempty"`
	ThroughBytes []byte `json:"through_base64,omitempty"`
}

func (r Range) wire() wireRange {
	return wireRange{r.After, otherBytes(r.After), r.Through, otherBytes(r.Through)}
}

func (w wireRange) exact() Range {
	return Range{After: exact(w.After, w.AfterBytes), Through: exact(w.Through, w.ThroughBytes)}
}

// MarshalJSON implements json.Marshaler.
func (r Range) MarshalJSON() ([]byte, error) { return json.Marshal(r.wire()) }

// UnmarshalJSON implements json.Unmarshaler. An unknown field is an error: see readPlan.
func (r *Range) UnmarshalJSON(text []byte) error {
	var wire wireRange
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	err := in.Decode(&wire)
	*r = wire.exact()
	return err
}

type plainHeader header

type wireHeader struct {
	*plainHeader
	wireRange
	EndBytes []byte `json:"end_base64,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (h header) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireHeader{(*plainHeader)(&h), h.Range.wire(), otherBytes(h.End)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *header) UnmarshalJSON(text []byte) error {
	wire := wireHeader{plainHeader: (*plainHeader)(h)}
	if err := json.Unmarshal(text, &wire); err != nil {
		return err
	}
	h.Range, h.End = wire.exact(), exact(h.End, wire.EndBytes)
	return nil
}
