package sweep

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// The limits of a report. A shard is cut before its report exceeds one of them. MaxObject is also for what
// [Reports] must take.
const (
	MaxObject   = 32 << 20  // bytes of a stored plan or report
	maxExpanded = 512 << 20 // bytes of the lines of a report
	maxLine     = 1 << 20   // bytes; a key of 4,096 bytes has up to 24,576 in JSON
	maxNext     = 4         // shards that follow
)

// header is the first line of a report: what it covers.
type header struct {
	Format  int       `json:"format"`  // 1
	Version string    `json:"version"` // of the program
	Pass    string    `json:"pass"`
	Bucket  string    `json:"bucket"`
	Range   Range     `json:"-"`              // of the shard; its fields are those of the header in JSON
	End     string    `json:"end,omitempty"`  // the rows are complete through this position; empty: to the end
	Next    []Range   `json:"next,omitempty"` // the shards that follow
	Totals  Totals    `json:"totals"`
	Begun   time.Time `json:"begun"`
	Ended   time.Time `json:"ended"`
}

func (h header) shard() pipeline.Shard {
	return pipeline.Shard{Pass: h.Pass, Bucket: h.Bucket, After: h.Range.After, Through: h.Range.Through}
}

// next returns the shards that follow.
func (h header) next() []pipeline.Shard {
	next := make([]pipeline.Shard, len(h.Next))
	for i, r := range h.Next {
		next[i] = pipeline.Shard{Pass: h.Pass, Bucket: h.Bucket, After: r.After, Through: r.Through}
	}
	return next
}

// check returns what is wrong with the header of the report of a shard.
func (h header) check(s pipeline.Shard) error {
	switch {
	case h.Format != 1:
		return fmt.Errorf("its format is %d; this version knows 1", h.Format)
	case h.shard() != s:
		return fmt.Errorf("it is of another shard: %s", h.shard())
	case len(h.Next) > maxNext:
		return fmt.Errorf("it names %d shards that follow", len(h.Next))
	case len(h.Next) == 0:
		if h.End != h.Range.Through {
			return fmt.Errorf("it ends at %.100q, and nothing follows", h.End)
		}
		return nil
	case h.End < h.Range.After || h.Range.Through != "" && h.End > h.Range.Through:
		return fmt.Errorf("it ends at %.100q, outside of its range", h.End)
	case h.End == h.Range.After && h.Totals.Sum() != 0:
		return errors.New("it has rows, and covers nothing")
	}
	for _, r := range h.Next {
		if r == h.Range {
			return errors.New("it is followed by itself")
		}
	}
	return Range{After: h.End, Through: h.Range.Through}.isCoveredBy(h.Next)
}

// form is how the reports of a pass are stored.
type form struct {
	ending string // of their names
	write  func() rowWriter
	open   func(report []byte) (head []byte, rows rowReader, err error)
}

// rowWriter stores rows. Its memory is that of the report, and a few MiB.
type rowWriter interface {
	// add returns how many bytes the rows have before they are compressed.
	add(rows []Row) (expanded int, err error)
	stored() int // bytes of the report, so far
	finish(head []byte) (report []byte, err error)
}

// rowReader reads rows in their order, a hundred at a time at most, until io.EOF. The next call uses the slice again.
type rowReader interface {
	next() ([]Row, error)
}

// form returns how the reports of a pass are stored.
func (o Options) form() *form {
	if o.Parquet {
		return &table
	}
	return &lines
}

// reportWriter makes a report of rows in their order.
type reportWriter struct {
	rowWriter
	totals   Totals
	expanded int
}

func newReportWriter(f *form) *reportWriter { return &reportWriter{rowWriter: f.write()} }

// add adds rows. It is an error if the report becomes larger than a reader takes.
func (w *reportWriter) add(rows []Row) error {
	n, err := w.rowWriter.add(rows)
	if err != nil {
		return err
	}
	w.expanded += n
	for _, r := range rows {
		w.totals.Add(r)
	}
	return nil
}

// full reports whether no more than a window of rows should follow.
func (w *reportWriter) full() bool { return w.stored() > MaxObject/4 || w.expanded > maxExpanded/4 }

// finish returns the report.
func (w *reportWriter) finish(h header) ([]byte, error) {
	h.Totals = w.totals
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return w.rowWriter.finish(head)
}

// errTooLong is the error of a row that no report takes.
func errTooLong(r Row, n int) error { return fmt.Errorf("the row of %.100q has %d bytes", r.Key, n) }

// errDamaged: a report is not what this program writes.
var errDamaged = errors.New("the report is damaged; delete it to have its shard run again")

// openReport reads the header of the report of a shard, and leaves the rows.
func (f *form) openReport(s pipeline.Shard, report []byte) (h header, rows rowReader, err error) {
	if len(report) > MaxObject {
		return h, nil, f.damaged(s, fmt.Errorf("it has %d bytes", len(report)))
	}
	head, rows, err := f.open(report)
	if err == nil {
		err = json.Unmarshal(head, &h)
	}
	if err == nil {
		err = h.check(s)
	}
	if err != nil {
		return header{}, nil, f.damaged(s, err)
	}
	return h, rows, nil
}

func (f *form) damaged(s pipeline.Shard, err error) error {
	return fmt.Errorf("%s: %s: %w: %w", s, f.name(s), errDamaged, err)
}

// readReport reads a report and tells its rows in their order, a hundred at a time at most.
func (f *form) readReport(s pipeline.Shard, report []byte, tell func([]Row) error) error {
	h, in, err := f.openReport(s, report)
	if err != nil {
		return err
	}
	var totals Totals
	var held []Row // the last ones are told when all add up
	last := h.Range.After
	for {
		rows, err := in.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return f.damaged(s, err)
		}
		for _, r := range rows {
			at := cmp.Or(r.At, r.Key)
			covered := Range{After: last, Through: h.End}
			if r.Bucket != s.Bucket || r.Key == "" || r.State == "" || !covered.Contains(at) {
				return f.damaged(s, fmt.Errorf("the row %.100q of bucket %.100q does not belong here", r.Key, r.Bucket))
			}
			last = at
			totals.Add(r)
		}
		if len(held) > 0 {
			if err := tell(held); err != nil {
				return err
			}
		}
		held = append(held[:0], rows...)
	}
	if !totals.equal(h.Totals) {
		return f.damaged(s, errors.New("its rows do not add up to the totals of its header"))
	}
	if len(held) == 0 {
		return nil
	}
	return tell(held)
}

// mostTold is how many rows of a report are in memory, at most.
const mostTold = 100

// lines are reports of JSON lines: the header, then the rows.
var lines = form{".jsonl.gz", newLineWriter, openLines}

type lineWriter struct {
	rows bytes.Buffer // compressed
	zip  *gzip.Writer
}

func newLineWriter() rowWriter {
	w := &lineWriter{}
	w.zip = gzip.NewWriter(&w.rows)
	return w
}

func (w *lineWriter) add(rows []Row) (expanded int, err error) {
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			return expanded, err
		}
		if len(line) >= maxLine {
			return expanded, errTooLong(r, len(line))
		}
		if _, err := w.zip.Write(append(line, '\n')); err != nil {
			return expanded, err
		}
		expanded += len(line) + 1
	}
	return expanded, nil
}

func (w *lineWriter) stored() int { return w.rows.Len() }

// finish writes the header as a stream of its own before that of the rows, as RFC 1952, section 2.2, permits: its totals
// are known only now.
func (w *lineWriter) finish(head []byte) ([]byte, error) {
	if err := w.zip.Close(); err != nil {
		return nil, err
	}
	var report bytes.Buffer
	first := gzip.NewWriter(&report)
	if _, err := first.Write(append(head, '\n')); err != nil {
		return nil, err
	}
	if err := first.Close(); err != nil {
		return nil, err
	}
	report.Write(w.rows.Bytes())
	return report.Bytes(), nil
}

type lineReader struct {
	lines *bufio.Scanner
	rows  []Row
}

func openLines(report []byte) ([]byte, rowReader, error) {
	text, err := gzip.NewReader(bytes.NewReader(report))
	if err != nil {
		return nil, nil, err
	}
	r := &lineReader{lines: bufio.NewScanner(io.LimitReader(text, maxExpanded))}
	r.lines.Buffer(nil, maxLine)
	if !r.lines.Scan() {
		return nil, nil, errors.Join(r.lines.Err(), errors.New("it has no header"))
	}
	return bytes.Clone(r.lines.Bytes()), r, nil
}

func (r *lineReader) next() ([]Row, error) {
	r.rows = r.rows[:0]
	for len(r.rows) < mostTold && r.lines.Scan() {
		var row Row
		if err := json.Unmarshal(r.lines.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("a row: %w", err)
		}
		r.rows = append(r.rows, row)
	}
	if err := r.lines.Err(); err != nil {
		return nil, err
	}
	if len(r.rows) == 0 {
		return nil, io.EOF
	}
	return r.rows, nil
}

// Add counts a row.
func (t *Totals) Add(r Row) {
	if t.Objects == nil {
		t.Objects = make(map[State]int64)
	}
	t.Objects[r.State]++
	t.Read += r.Read
	if r.Size != nil && r.State != Orphan {
		t.Bytes += *r.Size
	}
}

// Plus counts all rows that other totals count.
func (t *Totals) Plus(other Totals) {
	if t.Objects == nil {
		t.Objects = make(map[State]int64)
	}
	for state, n := range other.Objects {
		t.Objects[state] += n
	}
	t.Bytes += other.Bytes
	t.Read += other.Read
}

// Sum returns the number of rows.
func (t Totals) Sum() (n int64) {
	for _, of := range t.Objects {
		n += of
	}
	return n
}

func (t Totals) equal(other Totals) bool {
	return t.Bytes == other.Bytes && t.Read == other.Read && maps.Equal(t.Objects, other.Objects)
}
