package output

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// flushAfter is how long a line waits for others at most, so that a reader of the pipe sees it in time.
const flushAfter = 200 * time.Millisecond

// lines writes lines together.
type lines struct {
	mu    sync.Mutex
	w     *bufio.Writer
	timer *time.Timer // runs while a line waits
	err   error
}

func newLines(w io.Writer) *lines { return &lines{w: bufio.NewWriterSize(w, 64<<10)} }

// write returns the first error of this write or of those before it.
func (l *lines) write(line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		_, l.err = l.w.Write(line)
	}
	if l.err == nil && l.timer == nil && l.w.Buffered() > 0 {
		l.timer = time.AfterFunc(flushAfter, func() { _ = l.flush() }) // the next write returns its error
	}
	return l.err
}

func (l *lines) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.err == nil {
		l.err = l.w.Flush()
	}
	return l.err
}

// jsonLines writes each row as a line of JSON.
type jsonLines struct {
	lines *lines
	line  bytes.Buffer
	json  *json.Encoder
}

// JSON returns a sink that writes each row as one line of JSON; see [sweep.Row].
func JSON(w io.Writer) Sink {
	s := &jsonLines{lines: newLines(w)}
	s.json = json.NewEncoder(&s.line)
	s.json.SetEscapeHTML(false)
	return s
}

func (s *jsonLines) Row(r sweep.Row) error {
	s.line.Reset()
	if err := s.json.Encode(r); err != nil {
		return fmt.Errorf("write a line of JSON: %w", err)
	}
	if err := s.lines.write(printable(s.line.Bytes())); err != nil {
		return fmt.Errorf("write a line of JSON: %w", err)
	}
	return nil
}

func (s *jsonLines) Close(End) error {
	if err := s.lines.flush(); err != nil {
		return fmt.Errorf("write a line of JSON: %w", err)
	}
	return nil
}

// printable escapes what JSON permits in strings, but what could control a terminal: characters after ASCII
// that are not printable, and DEL.
func printable(line []byte) []byte {
	end := len(line) - 1 // the newline
	if !bytes.ContainsFunc(line[:end], func(r rune) bool { return !unicode.IsPrint(r) }) {
		return line
	}
	escaped := make([]byte, 0, len(line)+16)
	for rest := line[:end]; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case unicode.IsPrint(r):
			escaped = append(escaped, rest[:n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
		rest = rest[n:]
	}
	return append(escaped, '\n')
}
