package s3

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readableErrors turns the error documents of a store into XML that a parser accepts. S3 quotes
// the key in them, also with characters that XML 1.0 does not have. The code of such an error
// would be lost, and a missing record would look like a fault of the store.
type readableErrors struct{ http.RoundTripper }

// errorLimit is more bytes than any error of S3 has.
const errorLimit = 1 << 20

func (t readableErrors) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(r)
	if err != nil || response.StatusCode < http.StatusMultipleChoices || r.Method == http.MethodHead {
		return response, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, errorLimit))
	_ = response.Body.Close() // what was read was read
	body = readableXML(body)
	response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
	response.ContentLength = int64(len(body))
	response.Header.Del("Content-Length") // it is the length of the original body
	return response, nil
}

// failing is the end of a body: err if the body broke off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

var characterReference = regexp.MustCompile(`&#(x[0-9A-Fa-f]+|[0-9]+);`)

// readableXML returns a document with U+FFFD in place of characters that XML 1.0 does not have,
// as they are or as references.
func readableXML(doc []byte) []byte {
	doc = characterReference.ReplaceAllFunc(doc, func(reference []byte) []byte {
		digits, base := string(reference[2:len(reference)-1]), 10
		if hex, ok := strings.CutPrefix(digits, "x"); ok {
			digits, base = hex, 16
		}
		if n, err := strconv.ParseInt(digits, base, 32); err == nil && isXML(rune(n)) {
			return reference
		}
		return []byte(string(utf8.RuneError))
	})
	return bytes.Map(func(r rune) rune {
		if isXML(r) {
			return r
		}
		return utf8.RuneError
	}, doc)
}

// isXML reports whether XML 1.0 has the character.
func isXML(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r == 0xFFFE, r == 0xFFFF:
		return false
	}
	return utf8.ValidRune(r)
}
