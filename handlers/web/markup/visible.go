package markup

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// segment is a piece of text that is shown unchanged, or the escape of one character.
type segment struct {
	text    string
	escaped bool
}

// visible splits text for display. Names come from outside and may contain characters that are invisible,
// change the direction of the text after them, or are invalid: these are escaped.
func visible(s string) []segment {
	var all []segment
	for start := 0; start < len(s); {
		i := start
		for i < len(s) {
			r, n := utf8.DecodeRuneInString(s[i:])
			if !shown(r, n) {
				break
			}
			i += n
		}
		if i > start {
			all = append(all, segment{text: s[start:i]})
		}
		if i == len(s) {
			break
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		all = append(all, segment{text: strings.Trim(strconv.QuoteToASCII(s[i:i+n]), `"`), escaped: true})
		start = i + n
	}
	return all
}

// shown reports whether a character of n bytes is shown unchanged. The only such space is U+0020.
func shown(r rune, n int) bool { return unicode.IsPrint(r) && (r != utf8.RuneError || n > 1) }
