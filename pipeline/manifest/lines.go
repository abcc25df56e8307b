package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// maxLine is the longest line of a list in bytes. A key of pipeline.MaxKey bytes needs at most three times as many,
// percent-encoded, and values of all algorithms are short.
const maxLine = 64 << 10

var errLongLine = errors.New("the line is too long")

// text returns a reader of a list in UTF-8. Programs of Windows write lists in UTF-16 with a byte order mark; without a
// mark, the bytes stay as they are, because names need not be UTF-8.
func text(r io.Reader) *bufio.Reader {
	return bufio.NewReaderSize(transform.NewReader(r, unicode.BOMOverride(transform.Nop)), maxLine)
}

// lines yields the lines of a list. They end with a newline, which the last one may lack. A line that is too long comes as an
// error, and the next lines follow; an error that wraps [ErrRead] is the last.
func lines(r *bufio.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for long := false; ; {
			part, err := r.ReadSlice('\n')
			switch {
			case errors.Is(err, bufio.ErrBufferFull):
				long = true
				continue
			case err != nil && err != io.EOF:
				yield("", &readError{err})
				return
			case err == io.EOF && len(part) == 0 && !long:
				return
			}
			line := string(bytes.TrimSuffix(part, []byte("\n")))
			var fault error
			if long {
				line, fault, long = "", errLongLine, false
			}
			if !yield(line, fault) || err == io.EOF {
				return
			}
		}
	}
}

// ErrRead is wrapped by an error that ends a list before its end, because the rest cannot be read.
var ErrRead = errors.New("the list cannot be read")

type readError struct{ err error }

func (e *readError) Error() string   { return ErrRead.Error() + ": " + e.err.Error() }
func (e *readError) Unwrap() []error { return []error{ErrRead, e.err} }
