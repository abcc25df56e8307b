package blobstore

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
)

// printable returns bucket and key for people to read, with what would garble a
// terminal or turn the direction of its text escaped.
func printable(o pipeline.Object) string {
	if strings.ContainsFunc(o.Key, garbles) {
		return fmt.Sprintf("%s/%q", o.Bucket, o.Key)
	}
	return o.String()
}

func garbles(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }

// legible returns an error with the same escaped in its text: the system's errors
// have names as they are.
func legible(err error) error {
	if err == nil || !strings.ContainsFunc(err.Error(), garbles) {
		return err
	}
	return &legibleError{err}
}

type legibleError struct{ err error }

func (e *legibleError) Unwrap() error { return e.err }

func (e *legibleError) Error() string {
	var b strings.Builder
	for text := e.err.Error(); text != ""; {
		r, n := utf8.DecodeRuneInString(text)
		if garbles(r) {
			quoted := strconv.Quote(text[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}
