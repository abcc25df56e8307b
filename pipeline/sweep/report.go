package sweep

import (
	"bufio"
	"bytes"
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

// reportWriter makes a report of rows in their order. Its memory is that of the report.
type reportWriter struct {
	rows     bytes.Buffer // compressed
	zip      *gzip.Writer
	totals   Totals
	expanded int
}

func newReportWriter() *reportWriter {
	w := &reportWriter{}
	w.zip = gzip.NewWriter(&w.rows)
	return w
}

// add adds rows. It is an error if the report becomes larger than a reader takes.
func (w *reportWriter) add(rows []Row) error {
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if len(line) >= maxLine {
			return fmt.Errorf("the row of %.100q has %d bytes", r.Key, len(line))
		}
		if _, err := w.zip.Write(append(line, '\n')); err != nil {
			return err
		}
		w.expanded += len(line) + 1
		w.totals.Add(r)
	}
	return nil
}

// full reports whether no more than a window of rows should follow.
func (w *reportWriter) full() bool { return w.rows.Len() > MaxObject/4 || w.expanded > maxExpanded/4 }

// finish returns the report. The header is a stream of its own before that of the rows, as RFC 1952, section 2.2,
// permits: its totals are known only now.
func (w *reportWriter) finish(h header) ([]byte, error) {
	h.Totals = w.totals
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if err := w.zip.Close(); err != nil {
		return nil, err
	}
	var report bytes.Buffer
	first := gzip.NewWriter(&report)
	if _, err := first.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	if err := first.Close(); err != nil {
		return nil, err
	}
	report.Write(w.rows.Bytes())
	return report.Bytes(), nil
}

// errDamaged: a report is not what this program writes.
var errDamaged = errors.New("the report is damaged; delete it to have its shard run again")

// readHeader reads the header of the report of a shard.
func readHeader(s pipeline.Shard, report []byte) (header, error) {
	h, _, err := openReport(s, report)
	return h, err
}

// readReport reads a report and tells its rows in their order, a hundred at a time at most.
func readReport(s pipeline.Shard, report []byte, tell func([]Row) error) error {
	h, lines, err := openReport(s, report)
	if err != nil {
		return err
	}
	damaged := func(err error) error {
		return fmt.Errorf("%s: %s: %w: %w", s, reportName(s), errDamaged, err)
	}
	var rows []Row
	var totals Totals
	last := h.Range.After
	for lines.Scan() {
		var r Row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return damaged(err)
		}
		at := r.At
		if at == "" {
			at = r.Key
		}
		covered := Range{After: last, Through: h.End}
		if r.Bucket != s.Bucket || r.Key == "" || r.State == "" || !covered.Contains(at) {
			return damaged(fmt.Errorf("the row %.100q of bucket %.100q does not belong here", r.Key, r.Bucket))
		}
		last = at
		totals.Add(r)
		if rows = append(rows, r); len(rows) == 100 {
			if err := tell(rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	if err := lines.Err(); err != nil {
		return damaged(err)
	}
	if !totals.equal(h.Totals) {
		return damaged(errors.New("its rows do not add up to the totals of its header"))
	}
	if len(rows) == 0 {
		return nil
	}
	return tell(rows)
}

// openReport reads the header, and leaves the rows.
func openReport(s pipeline.Shard, report []byte) (header, *bufio.Scanner, error) {
	damaged := func(err error) (header, *bufio.Scanner, error) {
		return header{}, nil, fmt.Errorf("%s: %s: %w: %w", s, reportName(s), errDamaged, err)
	}
	if len(report) > MaxObject {
		return damaged(fmt.Errorf("it has %d bytes", len(report)))
	}
	text, err := gzip.NewReader(bytes.NewReader(report))
	if err != nil {
		return damaged(err)
	}
	lines := bufio.NewScanner(io.LimitReader(text, maxExpanded))
	lines.Buffer(nil, maxLine)
	if !lines.Scan() {
		return damaged(errors.Join(lines.Err(), errors.New("it has no header")))
	}
	var h header
	if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
		return damaged(err)
	}
	if err := h.check(s); err != nil {
		return damaged(err)
	}
	return h, lines, nil
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
