package sweep

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/parquetfile"
)

// table are reports in Apache Parquet, with a row for each object. The header is among the file's metadata. The form is
// the plainest one that the format has, so that all programs read it, and so that a page cannot unpack to more than it
// announces: pages of version 1 with plain values in Snappy, without dictionaries.
var table = form{".parquet", newTableWriter, openTable}

const (
	headKey      = "bucketsum.report"
	pageBytes    = 32 << 10 // of a column that is being written, and there are some forty
	groupBytes   = 4 << 20  // of rows that are being written
	maxTablePage = 4 << 20  // bytes; values have less than maxLine
	maxValues    = 1 << 20  // of a page
	valueBytes   = 16       // of memory that a value takes at least, also if it is null
)

// tableRow is a Row with a column for each field of its JSON.
type tableRow struct {
	Bucket     string     `parquet:"bucket"`
	Key        string     `parquet:"key"`
	State      string     `parquet:"state"`
	From       string     `parquet:"from,optional"`
	Size       *int64     `parquet:"size,optional"`
	VersionID  string     `parquet:"version_id,optional"`
	Noncurrent bool       `parquet:"noncurrent"`
	ETag       string     `parquet:"etag,optional"`
	Checksums  *tableSums `parquet:"checksums,optional"`
	Expected   *tableSums `parquet:"expected,optional"`
	RecordedAt *time.Time `parquet:"recorded_at,optional,timestamp(microsecond)"`
	VerifiedAt *time.Time `parquet:"verified_at,optional,timestamp(microsecond)"`
	Class      string     `parquet:"storage_class,optional"`
	Modified   *time.Time `parquet:"modified,optional,timestamp(microsecond)"`
	Read       int64      `parquet:"bytes_read"`
	Reason     string     `parquet:"reason,optional"`
	At         string     `parquet:"at,optional"`
	KeyBytes   string     `parquet:"key_base64,optional"`
	FromBytes  string     `parquet:"from_base64,optional"`
	AtBytes    string     `parquet:"at_base64,optional"`
}

// tableSums has a column for each algorithm of package digest.
type tableSums struct {
	MD5       string `parquet:"md5,optional"`
	SHA1      string `parquet:"sha1,optional"`
	SHA256    string `parquet:"sha256,optional"`
	SHA512    string `parquet:"sha512,optional"`
	CRC32C    string `parquet:"crc32c,optional"`
	CRC64NVME string `parquet:"crc64nvme,optional"`
	BLAKE3    string `parquet:"blake3,optional"`
	XXH3      string `parquet:"xxh3,optional"`
}

// of returns the column of an algorithm; nil: there is none.
func (s *tableSums) of(algorithm string) *string {
	switch algorithm {
	case "md5":
		return &s.MD5
	case "sha1":
		return &s.SHA1
	case "sha256":
		return &s.SHA256
	case "sha512":
		return &s.SHA512
	case "crc32c":
		return &s.CRC32C
	case "crc64nvme":
		return &s.CRC64NVME
	case "blake3":
		return &s.BLAKE3
	case "xxh3":
		return &s.XXH3
	}
	return nil
}

func tableSumsOf(checksums map[string]string) (*tableSums, error) {
	if len(checksums) == 0 {
		return nil, nil
	}
	s := new(tableSums)
	for algorithm, value := range checksums {
		column := s.of(algorithm)
		if column == nil {
			return nil, fmt.Errorf("no column is for the checksum %.40q", algorithm)
		}
		*column = text(value)
	}
	return s, nil
}

func (s *tableSums) checksums() map[string]string {
	if s == nil {
		return nil
	}
	checksums := make(map[string]string)
	for _, algorithm := range digest.Names() {
		if column := s.of(algorithm); column != nil && *column != "" {
			checksums[algorithm] = *column
		}
	}
	return checksums
}

// text returns a text as JSON has it: readers of Parquet refuse a file with bytes that are not UTF-8.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func tableRowOf(r Row) (t tableRow, err error) {
	t = tableRow{
		Bucket: text(r.Bucket), Key: text(r.Key), State: text(string(r.State)), From: text(r.From), Size: r.Size, VersionID: text(r.VersionID),
		Noncurrent: r.Noncurrent, ETag: text(r.ETag), RecordedAt: r.RecordedAt, VerifiedAt: r.VerifiedAt, Class: text(r.Class), Modified: r.Modified,
		Read: r.Read, Reason: text(r.Reason), At: text(r.At),
		KeyBytes: base64.StdEncoding.EncodeToString(otherBytes(r.Key)), FromBytes: base64.StdEncoding.EncodeToString(otherBytes(r.From)),
		AtBytes: base64.StdEncoding.EncodeToString(otherBytes(r.At)),
	}
	if t.Checksums, err = tableSumsOf(r.Checksums); err == nil {
		t.Expected, err = tableSumsOf(r.Expected)
	}
	return t, err
}

func (t tableRow) row() (r Row, err error) {
	r = Row{
		Bucket: t.Bucket, State: State(t.State), Size: t.Size, VersionID: t.VersionID,
		Noncurrent: t.Noncurrent, ETag: t.ETag, Checksums: t.Checksums.checksums(), Expected: t.Expected.checksums(),
		RecordedAt: inUTC(t.RecordedAt), VerifiedAt: inUTC(t.VerifiedAt), Class: t.Class, Modified: inUTC(t.Modified),
		Read: t.Read, Reason: t.Reason,
	}
	for _, name := range []struct {
		to        *string
		text, b64 string
	}{{&r.Key, t.Key, t.KeyBytes}, {&r.From, t.From, t.FromBytes}, {&r.At, t.At, t.AtBytes}} {
		other, err := base64.StdEncoding.DecodeString(name.b64)
		if err != nil {
			return r, err
		}
		*name.to = exact(name.text, other)
	}
	return r, nil
}

func inUTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	utc := at.UTC()
	return &utc
}

// bytes returns about how many bytes the values have.
func (t *tableRow) bytes() int {
	n := 128 + len(t.Bucket) + len(t.Key) + len(t.State) + len(t.From) + len(t.VersionID) + len(t.ETag) + len(t.Class) + len(t.Reason) + len(t.At) +
		len(t.KeyBytes) + len(t.FromBytes) + len(t.AtBytes)
	for _, s := range []*tableSums{t.Checksums, t.Expected} {
		if s != nil {
			n += len(s.MD5) + len(s.SHA1) + len(s.SHA256) + len(s.SHA512) + len(s.CRC32C) + len(s.CRC64NVME) + len(s.BLAKE3) + len(s.XXH3)
		}
	}
	return n
}

type tableWriter struct {
	out     bytes.Buffer
	file    *parquet.GenericWriter[tableRow]
	rows    []tableRow
	waiting int // bytes of rows that are not in out
}

func newTableWriter() rowWriter {
	w := &tableWriter{}
	w.file = parquet.NewGenericWriter[tableRow](&w.out, parquet.DataPageVersion(1), parquet.Compression(&parquet.Snappy),
		parquet.DefaultEncoding(&parquet.Plain), parquet.PageBufferSize(pageBytes))
	return w
}

func (w *tableWriter) add(rows []Row) (expanded int, err error) {
	w.rows = w.rows[:0]
	for _, r := range rows {
		t, err := tableRowOf(r)
		if err != nil {
			return expanded, fmt.Errorf("the row of %.100q: %w", r.Key, err)
		}
		n := t.bytes()
		if n >= maxLine {
			return expanded, errTooLong(r, n)
		}
		w.rows = append(w.rows, t)
		expanded += n
	}
	if _, err := w.file.Write(w.rows); err != nil {
		return expanded, err
	}
	if w.waiting += expanded; w.waiting >= groupBytes {
		w.waiting = 0
		err = w.file.Flush()
	}
	return expanded, err
}

func (w *tableWriter) stored() int { return w.out.Len() }

func (w *tableWriter) finish(head []byte) ([]byte, error) {
	w.file.SetKeyValueMetadata(headKey, string(head))
	if err := w.file.Close(); err != nil {
		return nil, err
	}
	return w.out.Bytes(), nil
}

// tableReader reads a report that may be damaged, or made to harm its reader.
type tableReader struct {
	report []byte
	file   *parquet.File
	in     *parquet.GenericReader[tableRow] // nil: nothing was read yet
	buffer []tableRow
	rows   []Row
}

func openTable(report []byte) (head []byte, _ rowReader, err error) {
	in := bytes.NewReader(report)
	if err := parquetfile.CheckFooter(in, in.Size()); err != nil {
		return nil, nil, err
	}
	r := &tableReader{report: report}
	err = parquetfile.Guard(func() error {
		if r.file, err = parquet.OpenFile(in, in.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true)); err != nil {
			return err
		}
		text, ok := r.file.Lookup(headKey)
		if !ok {
			return fmt.Errorf("it has no header: its metadata lacks %s", headKey)
		}
		head = []byte(text)
		return nil
	})
	return head, r, err
}

func (r *tableReader) next() ([]Row, error) {
	if r.in == nil {
		if err := r.check(); err != nil {
			return nil, err
		}
		r.buffer = make([]tableRow, mostTold)
	}
	r.rows = r.rows[:0]
	err := parquetfile.Guard(func() error {
		if r.in == nil {
			r.in = parquet.NewGenericReader[tableRow](r.file)
		}
		clear(r.buffer)
		n, err := r.in.Read(r.buffer)
		for _, t := range r.buffer[:n] {
			row, err := t.row()
			if err != nil {
				return err
			}
			r.rows = append(r.rows, row)
		}
		if n > 0 && err == io.EOF {
			return nil // the next call finds it again
		}
		if n == 0 && err == nil {
			return io.ErrNoProgress
		}
		return err
	})
	return r.rows, err
}

// check checks all pages, before any is unpacked.
func (r *tableReader) check() error {
	expanded := int64(0)
	for _, group := range r.file.Metadata().RowGroups {
		for _, c := range group.Columns {
			if c.MetaData.Codec != format.Snappy || c.MetaData.DictionaryPageOffset != 0 {
				return errors.New("a column is not in the form of reports")
			}
			n, err := r.checkPages(c.MetaData.DataPageOffset, c.MetaData.TotalCompressedSize, group.NumRows)
			if err != nil {
				return err
			}
			if expanded += n; expanded > maxExpanded {
				return fmt.Errorf("its pages have more than %d bytes", maxExpanded)
			}
		}
	}
	return nil
}

// checkPages checks the pages of a column of a group of rows, and returns how many bytes they have in memory.
func (r *tableReader) checkPages(at, size, rows int64) (expanded int64, err error) {
	all := int64(len(r.report))
	if at < 0 || size < 0 || at > all || size > all-at {
		return 0, errors.New("the pages of a column are outside of it")
	}
	end, values := at+size, int64(0)
	for at < end {
		p, err := parquetfile.ReadPage(bytes.NewReader(r.report), at, maxTablePage)
		if err != nil {
			return 0, err
		}
		h := p.DataPageHeader.V
		if p.Next > end || p.Type != format.DataPage || !p.DataPageHeader.Valid || h.Encoding != format.Plain || h.NumValues < 0 || h.NumValues > maxValues {
			return 0, errors.New("a page is not in the form of reports")
		}
		if err := p.CheckSize(bytes.NewReader(r.report), format.Snappy); err != nil {
			return 0, err
		}
		at, values = p.Next, values+int64(h.NumValues)
		expanded += int64(p.UncompressedPageSize) + valueBytes*int64(h.NumValues)
	}
	if values != rows {
		return 0, fmt.Errorf("a column has %d values for %d rows", values, rows)
	}
	return expanded, nil
}
