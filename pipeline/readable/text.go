package readable

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name returns a name for a terminal or a log. It quotes and escapes a name that is not
// UTF-8 or that could control the terminal, break the line or change the direction of the
// text.
func Name(s string) string {
	if strings.ContainsFunc(s, garbles) {
		return strconv.Quote(s)
	}
	return s
}

// Text returns a text in which each character that [Name] would escape is escaped.
func Text(s string) string {
	if !strings.ContainsFunc(s, garbles) {
		return s
	}
	var b strings.Builder
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if garbles(r) {
			quoted := strconv.Quote(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// garbles reports whether a character must not reach a terminal unescaped. U+FFFD is one,
// because it also stands for bytes that are not UTF-8.
func garbles(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }

// Error returns an error that wraps err and has its text as [Text] returns it. The operating
// system's errors contain names unescaped.
func Error(err error) error {
	if err == nil || !strings.ContainsFunc(err.Error(), garbles) {
		return err
	}
	return &readableError{err}
}

type readableError struct{ err error }

func (e *readableError) Error() string { return Text(e.err.Error()) }
func (e *readableError) Unwrap() error { return e.err }

// Cut returns s, or its beginning and an ellipsis, in at most n bytes. It never
// cuts a character in two, and the result does not keep a longer s in memory.
func Cut(s string, n int) string {
	const ellipsis = "…"
	if len(s) <= n {
		return s
	}
	n -= len(ellipsis)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:max(n, 0)] + ellipsis
}
