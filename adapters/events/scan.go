package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
)

// maxItems is how many items of lists, and thus events of a message, are decoded. An Event
// Grid batch has at most 5,000. A body of 1 MiB has room for 350,000 empty items, whose events
// and errors would take 200 times its memory.
const maxItems = 10_000

// tooManyError refuses a whole message, whatever of it was decoded.
type tooManyError struct{ list string }

func (e tooManyError) Error() string {
	return fmt.Sprintf("%s has more than %d items", e.list, maxItems)
}

// count checks that raw is an array, and counts its items before anything of them is decoded. path
// is where raw was found.
func (o *opening) count(path string, raw json.RawMessage) error {
	if err := unmarshal(path, raw, new([0]struct{})); err != nil {
		return err
	}
	for range parts(raw) {
		if o.items++; o.items > maxItems {
			return tooManyError{path}
		}
	}
	return nil
}

// members yields the names and the values of a valid JSON object, in their order. The values
// share its memory.
func members(object []byte) iter.Seq2[[]byte, json.RawMessage] {
	return func(yield func([]byte, json.RawMessage) bool) {
		for part := range parts(object) {
			end := stringEnd(part)
			name := part[1 : end-1]
			if bytes.IndexByte(name, '\\') >= 0 {
				var s string
				_ = json.Unmarshal(part[:end], &s) // it is valid
				name = []byte(s)
			}
			_, value, _ := bytes.Cut(part[end:], []byte(":"))
			if !yield(name, bytes.TrimLeft(value, blanks)) {
				return
			}
		}
	}
}

const blanks = " \t\r\n" // those of JSON

// parts yields what is between the brackets and the commas of a valid JSON array or object;
// nothing for any other valid JSON. In contrast to encoding/json it allocates nothing.
func parts(b []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		b = bytes.Trim(b, blanks)
		if len(b) < 2 || b[0] != '[' && b[0] != '{' {
			return
		}
		for b = bytes.Trim(b[1:len(b)-1], blanks); len(b) > 0; {
			n := partEnd(b)
			if !yield(bytes.TrimRight(b[:n], blanks)) || n == len(b) {
				return
			}
			b = bytes.TrimLeft(b[n+1:], blanks)
		}
	}
}

// partEnd returns the index of the first comma that is in no bracket and no string, or len(b).
func partEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += stringEnd(b[i:]) - 1
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(b)
}

// stringEnd returns the length of the JSON string at the start of b.
func stringEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b) // cannot happen: b is valid
}
