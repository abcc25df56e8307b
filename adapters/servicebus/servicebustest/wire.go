package servicebustest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// The codes of the composite types and sections that the server uses (OASIS AMQP
// 1.0, parts 2 to 5).
const (
	codeOpen, codeBegin, codeAttach, codeFlow   = 0x10, 0x11, 0x12, 0x13
	codeTransfer, codeDisposition, codeDetach   = 0x14, 0x15, 0x16
	codeEnd, codeClose, codeError               = 0x17, 0x18, 0x1d
	codeAccepted, codeRejected                  = 0x24, 0x25
	codeReleased, codeModified                  = 0x26, 0x27
	codeMechanisms, codeSASLInit, codeOutcome   = 0x40, 0x41, 0x44
	codeHeader, codeDeliveryAnnotations         = 0x70, 0x71
	codeAnnotations, codeProperties             = 0x72, 0x73
	codeApplicationProperties, codeMessageValue = 0x74, 0x77
)

// described is a value with the code of its type: a performative, a section, a
// delivery state.
type described struct {
	code  uint64
	value any
}

type (
	symbol string
	uuid   [16]byte
)

// field returns a field of a composite value; nil if the sender left it out.
func (d described) field(n int) any {
	if fields, _ := d.value.([]any); n < len(fields) {
		return fields[n]
	}
	return nil
}

// encode appends the encoding of a value.
func encode(b []byte, v any) []byte {
	order := binary.BigEndian
	long := func(code byte, content string) []byte {
		return append(order.AppendUint32(append(b, code), uint32(len(content))), content...)
	}
	compound := func(code byte, count int, content []byte) []byte {
		b = order.AppendUint32(append(b, code), uint32(len(content)+4))
		return append(order.AppendUint32(b, uint32(count)), content...)
	}
	switch v := v.(type) {
	case nil:
		return append(b, 0x40)
	case bool:
		if v {
			return append(b, 0x41)
		}
		return append(b, 0x42)
	case uint8:
		return append(b, 0x50, v)
	case uint16:
		return order.AppendUint16(append(b, 0x60), v)
	case uint32:
		return order.AppendUint32(append(b, 0x70), v)
	case uint64:
		return order.AppendUint64(append(b, 0x80), v)
	case int32:
		return order.AppendUint32(append(b, 0x71), uint32(v))
	case int64:
		return order.AppendUint64(append(b, 0x81), uint64(v))
	case time.Time:
		return order.AppendUint64(append(b, 0x83), uint64(v.UnixMilli()))
	case uuid:
		return append(append(b, 0x98), v[:]...)
	case []byte:
		return long(0xb0, string(v))
	case string:
		return long(0xb1, v)
	case symbol:
		return long(0xb3, string(v))
	case described:
		return encode(append(b, 0x00, 0x53, byte(v.code)), v.value)
	case []any:
		var content []byte
		for _, item := range v {
			content = encode(content, item)
		}
		return compound(0xd0, len(v), content)
	case map[any]any:
		var content []byte
		for key, value := range v {
			content = encode(encode(content, key), value)
		}
		return compound(0xd1, 2*len(v), content)
	case []time.Time:
		content := []byte{0x83}
		for _, t := range v {
			content = order.AppendUint64(content, uint64(t.UnixMilli()))
		}
		return compound(0xf0, len(v), content)
	default:
		panic(fmt.Sprintf("no encoding for %T", v))
	}
}

// decode returns the first value of b and what follows it. It panics on an
// encoding that is cut off or unknown.
func decode(b []byte) (v any, rest []byte) { return decodeAs(b[0], b[1:]) }

func decodeAs(code byte, b []byte) (v any, rest []byte) {
	order := binary.BigEndian
	// The first half of the code says how long the value is.
	size := 0
	switch code >> 4 {
	case 0x5:
		size = 1
	case 0x6:
		size = 2
	case 0x7:
		size = 4
	case 0x8:
		size = 8
	case 0x9:
		size = 16
	case 0xa, 0xc, 0xe:
		size, b = int(b[0]), b[1:]
	case 0xb, 0xd, 0xf:
		size, b = int(order.Uint32(b)), b[4:]
	}
	content, rest := b[:size], b[size:]
	switch code {
	case 0x00:
		kind, after := decode(b)
		number, _ := kind.(uint64) // 0: a name, as that of a filter
		v, rest = decode(after)
		return described{number, v}, rest
	case 0x40:
		return nil, rest
	case 0x41, 0x42:
		return code == 0x41, rest
	case 0x56:
		return content[0] == 1, rest
	case 0x43:
		return uint32(0), rest
	case 0x44:
		return uint64(0), rest
	case 0x50:
		return content[0], rest
	case 0x52:
		return uint32(content[0]), rest
	case 0x53:
		return uint64(content[0]), rest
	case 0x54:
		return int32(int8(content[0])), rest
	case 0x55:
		return int64(int8(content[0])), rest
	case 0x60:
		return order.Uint16(content), rest
	case 0x70:
		return order.Uint32(content), rest
	case 0x71:
		return int32(order.Uint32(content)), rest
	case 0x80:
		return order.Uint64(content), rest
	case 0x81:
		return int64(order.Uint64(content)), rest
	case 0x82:
		return math.Float64frombits(order.Uint64(content)), rest
	case 0x83:
		return time.UnixMilli(int64(order.Uint64(content))), rest
	case 0x98:
		return uuid(content), rest
	case 0xa0, 0xb0:
		return slices.Clone(content), rest
	case 0xa1, 0xb1:
		return string(content), rest
	case 0xa3, 0xb3:
		return symbol(content), rest
	case 0x45:
		return []any(nil), rest
	case 0xc0, 0xd0, 0xc1, 0xd1:
		items := make([]any, 0, 8)
		for content = afterCount(code, content); len(content) > 0; {
			var item any
			item, content = decode(content)
			items = append(items, item)
		}
		if code&0xf == 0 {
			return items, rest
		}
		m := make(map[any]any)
		for pair := range slices.Chunk(items, 2) {
			m[pair[0]] = pair[1]
		}
		return m, rest
	case 0xe0, 0xf0:
		var items []any
		content = afterCount(code, content)
		for of, content := content[0], content[1:]; len(content) > 0; {
			var item any
			item, content = decodeAs(of, content)
			items = append(items, item)
		}
		return items, rest
	default:
		panic(fmt.Sprintf("no decoding for %#x", code))
	}
}

// afterCount skips the number of items, which is as long as the size was.
func afterCount(code byte, content []byte) []byte {
	if code>>4 == 0xc || code>>4 == 0xe {
		return content[1:]
	}
	return content[4:]
}

// body is what a message says, by the code of the section.
type body struct {
	properties described      // of codeProperties
	named      map[string]any // application properties
	value      map[string]any // of codeMessageValue
	stored     []byte         // the encoded sections that a queue stores
}

// parse reads the sections of a message.
func parse(b []byte) body {
	out := body{named: make(map[string]any), value: make(map[string]any)}
	for len(b) > 0 {
		v, rest := decode(b)
		section, raw := v.(described), b[:len(b)-len(rest)]
		switch section.code {
		case codeProperties:
			out.properties = section
		case codeApplicationProperties:
			maps.Insert(out.named, named(section.value))
		case codeMessageValue:
			maps.Insert(out.value, named(section.value))
		}
		switch section.code {
		case codeHeader, codeDeliveryAnnotations, codeAnnotations: // the server makes its own
		default:
			out.stored = append(out.stored, raw...)
		}
		b = rest
	}
	return out
}

// named yields the entries of a map whose keys are strings.
func named(v any) func(yield func(string, any) bool) {
	m, _ := v.(map[any]any)
	return func(yield func(string, any) bool) {
		for key, value := range m {
			if name, ok := key.(string); ok && !yield(name, value) {
				return
			}
		}
	}
}
