package live

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON returns v as one line of JSON, without its end. Characters that a terminal would interpret, such as a
// change of direction, are replaced by JSON escapes.
func JSON(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	return escaped(body), err
}

// escaped replaces what is not printable. It only occurs in strings.
func escaped(body []byte) []byte {
	printable := func(r rune) bool { return r < utf8.RuneSelf || unicode.IsPrint(r) }
	if bytes.IndexFunc(body, func(r rune) bool { return !printable(r) }) < 0 {
		return body
	}
	out := make([]byte, 0, len(body)+64)
	for _, r := range string(body) {
		if printable(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out
}
