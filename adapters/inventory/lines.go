package inventory

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
)

// maxLine is the longest row of a table, in bytes. A key has 1,024 bytes, percent-encoded three times as many; access
// control lists may be longer.
const maxLine = 1 << 20

// lines are the records of a file that end with newlines or NULs.
type lines struct {
	in      *bufio.Scanner
	content io.Closer
	sum     hash.Hash // of the file; nil: it is not checked
	rest    io.Reader // what is left of the file, through sum
	want    string
}

// newLines reads records, of a file that may be compressed. If want is not empty, it is the hexadecimal value that sum
// must have at the end.
func newLines(content io.ReadCloser, split bufio.SplitFunc, sum hash.Hash, want string) (*lines, error) {
	l := &lines{content: content, sum: sum, want: want, rest: content}
	if sum != nil {
		l.rest = io.TeeReader(content, sum)
	}
	in := bufio.NewReaderSize(l.rest, 64<<10)
	l.rest = in
	var text io.Reader = in
	magic, err := in.Peek(2)
	if err != nil && err != io.EOF {
		return l, err
	}
	if string(magic) == "\x1f\x8b" {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return l, damaged(err)
		}
		text = unzipped
	}
	l.in = bufio.NewScanner(text)
	l.in.Buffer(make([]byte, 64<<10), maxLine)
	l.in.Split(split)
	return l, nil
}

// next returns the next record, which is valid until the one after it.
func (l *lines) next() ([]byte, error) {
	if l.in.Scan() {
		return l.in.Bytes(), nil
	}
	err := l.in.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, pipeline.Permanent(fmt.Errorf("a row has more than %d bytes: the file is not a list of objects", maxLine))
	case err != nil:
		return nil, damaged(err)
	}
	if l.sum == nil {
		return nil, io.EOF
	}
	if _, err := io.Copy(io.Discard, l.rest); err != nil {
		return nil, err
	}
	if got := fmt.Sprintf("%x", l.sum.Sum(nil)); !strings.EqualFold(got, l.want) {
		return nil, pipeline.Permanent(fmt.Errorf("the file has the MD5 %s, its manifest says %s: copy it again, or take the next inventory", got, l.want))
	}
	return nil, io.EOF
}

func (l *lines) close() { _ = l.content.Close() } // it was only read

// damaged marks what is wrong with the content of a file as permanent. Errors of its store stay what they are.
func damaged(err error) error {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	if corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || err == io.ErrUnexpectedEOF {
		return pipeline.Permanent(fmt.Errorf("the file is damaged: %w", err))
	}
	return err
}

// splitRecords is a bufio.SplitFunc for CSV (RFC 4180): a newline in quotes does not end a record.
func splitRecords(data []byte, atEOF bool) (advance int, token []byte, err error) {
	quoted := false
	for at := 0; at < len(data); {
		i := bytes.IndexByte(data[at:], '\n')
		if i < 0 {
			break
		}
		if bytes.Count(data[at:at+i], quote)%2 == 1 {
			quoted = !quoted
		}
		if at += i + 1; !quoted {
			return at, bytes.TrimSuffix(data[:at-1], []byte("\r")), nil
		}
	}
	if atEOF && len(data) > 0 {
		return len(data), bytes.TrimSuffix(data, []byte("\r")), nil
	}
	return 0, nil, nil
}

var quote = []byte(`"`)

// splitNull is a bufio.SplitFunc for records that end with NUL.
func splitNull(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// keyReader reads a list of keys.
type keyReader struct{ *lines }

func (k keyReader) skip() error {
	_, err := k.lines.next()
	return err
}

func (k keyReader) next() (row, error) {
	line, err := k.lines.next()
	if err != nil {
		return row{}, err
	}
	r := row{key: string(line), size: pipeline.UnknownSize}
	if r.key == "" {
		r.gone = true // an empty line
		return r, nil
	}
	return r, checkKey(r.key)
}

// csvReader reads a table.
type csvReader struct {
	*lines
	table  *table
	values []string
}

func (c *csvReader) skip() error {
	_, err := c.lines.next()
	return err
}

func (c *csvReader) next() (row, error) {
	line, err := c.lines.next()
	if err != nil {
		return row{}, err
	}
	r := row{size: pipeline.UnknownSize}
	if len(line) == 0 {
		r.gone = true
		return r, nil
	}
	if c.values, err = splitFields(c.values[:0], string(line)); err != nil {
		return r, err
	}
	if len(c.values) > len(c.table.columns) {
		return r, faulty("it has %d fields, the table has %d columns", len(c.values), len(c.table.columns))
	}
	for i, text := range c.values {
		if err := c.table.set(&r, c.table.columns[i], text); err != nil {
			return r, err
		}
	}
	return r, c.table.finish(&r)
}

// splitFields appends the fields of a CSV record.
func splitFields(fields []string, line string) ([]string, error) {
	for {
		if len(fields) == mostColumns {
			return fields, faulty("it has more than %d fields", mostColumns)
		}
		field, rest, more := line, "", false
		if strings.HasPrefix(line, `"`) {
			end := closing(line)
			if end < 0 {
				return fields, faulty("a quote is not closed")
			}
			field = strings.ReplaceAll(line[1:end], `""`, `"`)
			if rest = line[end+1:]; rest != "" {
				if rest, more = strings.CutPrefix(rest, ","); !more {
					return fields, faulty("text follows a quoted field")
				}
			}
		} else {
			field, rest, more = strings.Cut(line, ",")
		}
		if fields = append(fields, field); !more {
			return fields, nil
		}
		line = rest
	}
}

// closing returns the index of the quote that closes the field at the beginning of a line; -1: there is none.
func closing(line string) int {
	for at := 1; ; at += 2 {
		i := strings.IndexByte(line[at:], '"')
		if i < 0 {
			return -1
		}
		if at += i; at+1 == len(line) || line[at+1] != '"' {
			return at
		}
		if at+2 > len(line) {
			return -1
		}
	}
}
