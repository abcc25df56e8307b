package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/parquetfile"
)

// maxPage is the largest page, in bytes. Writers make pages of 1 MiB or less.
const maxPage = 64 << 20

// parquetReader reads a table row by row, a page of each column at a time.
type parquetReader struct {
	in      io.ReaderAt
	closeIn func()
	file    *parquet.File
	table   *table
	columns []column
	group   int   // the next group of rows
	left    int64 // rows of the open group
	skipped int64 // rows to pass before the next one is read
}

// column is a column that is used.
type column struct {
	field field
	leaf  *parquet.Column
	unit  time.Duration // of times
	pages *pages        // of the open group
}

func newParquetReader(ctx context.Context, f file, size int64) (_ *parquetReader, err error) {
	in, closeIn := readerAt(ctx, f, size)
	p := &parquetReader{in: in, closeIn: closeIn}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := parquetfile.CheckFooter(in, size); err != nil {
		return nil, permanent(err)
	}
	return p, guarded(func() error { return p.open(size) })
}

// guarded runs work of the library.
func guarded(work func() error) error { return permanent(parquetfile.Guard(work)) }

// permanent marks the damage of a file as permanent.
func permanent(err error) error {
	if _, ok := errors.AsType[*parquetfile.DamagedError](err); ok {
		return pipeline.Permanent(err)
	}
	return err
}

func (p *parquetReader) open(size int64) (err error) {
	if p.file, err = parquet.OpenFile(p.in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(64<<10)); err != nil {
		return damagedParquet(err)
	}
	var names []string
	for _, c := range p.file.Root().Columns() {
		names = append(names, c.Name())
	}
	if p.table, err = newTable(names); err != nil {
		return pipeline.Permanent(err)
	}
	for i, c := range p.file.Root().Columns() {
		f := p.table.columns[i]
		if f == unused || !c.Leaf() || c.MaxRepetitionLevel() > 0 {
			if f == fieldKey {
				return pipeline.Permanent(fmt.Errorf("the column %s is no text", c.Name()))
			}
			continue
		}
		p.columns = append(p.columns, column{field: f, leaf: c, unit: unitOf(c)})
	}
	return nil
}

// unitOf returns the unit of numbers that are times. S3 writes milliseconds.
func unitOf(c *parquet.Column) time.Duration {
	if t := c.Type().LogicalType(); t != nil {
		if stamp, ok := t.Value.(*format.TimestampType); ok {
			switch stamp.Unit.Value.(type) {
			case *format.MicroSeconds:
				return time.Microsecond
			case *format.NanoSeconds:
				return time.Nanosecond
			}
		}
	}
	return time.Millisecond
}

// damagedParquet marks what is wrong with a file as permanent. Errors of its store, and of its end, are marked already.
func damagedParquet(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if _, ok := errors.AsType[*readError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*parquetfile.DamagedError](err); ok {
		return pipeline.Permanent(err)
	}
	return pipeline.Permanent(fmt.Errorf("the Parquet file is damaged: %w", err))
}

// count returns the number of rows.
func (p *parquetReader) count() int64 { return p.file.NumRows() }

func (p *parquetReader) close() {
	for i := range p.columns {
		p.columns[i].release()
	}
	p.closeIn()
}

func (c *column) release() {
	if c.pages != nil {
		c.pages.close()
		c.pages = nil
	}
}

func (p *parquetReader) skip() error {
	for p.left == 0 {
		if err := guarded(p.nextGroup); err != nil {
			return err
		}
	}
	p.left--
	p.skipped++
	return nil
}

func (p *parquetReader) next() (r row, err error) {
	err = guarded(func() error {
		for p.left == 0 {
			if err := p.nextGroup(); err != nil {
				return err
			}
		}
		r, err = p.row()
		return err
	})
	return r, err
}

// nextGroup begins with the next group of rows.
func (p *parquetReader) nextGroup() error {
	groups := p.file.RowGroups()
	if p.group == len(groups) {
		return io.EOF
	}
	p.left, p.skipped = groups[p.group].NumRows(), 0
	for i := range p.columns {
		p.columns[i].release()
	}
	p.group++
	return nil
}

// row reads a row of the open group.
func (p *parquetReader) row() (row, error) {
	p.left--
	r := row{size: pipeline.UnknownSize}
	var fault error
	for i := range p.columns {
		c := &p.columns[i]
		if c.pages == nil {
			c.pages = newPages(p.in, p.file, p.group-1, c.leaf)
		}
		v, err := c.pages.next(p.skipped)
		if err != nil {
			return r, damagedParquet(noEOF(err))
		}
		if err := p.set(&r, c, v); err != nil && fault == nil {
			fault = err
		}
	}
	p.skipped = 0
	if fault != nil {
		return r, fault
	}
	return r, p.table.finish(&r)
}

// noEOF returns an error for a column that ends before its group does.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// set takes a value.
func (p *parquetReader) set(r *row, c *column, v parquet.Value) error {
	if v.IsNull() {
		return nil
	}
	switch v.Kind() {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return p.table.set(r, c.field, string(v.ByteArray()))
	case parquet.Boolean:
		if c.field == fieldLatest || c.field == fieldDeleted || c.field == fieldFolder {
			return r.setBool(c.field, fmt.Sprint(v.Boolean()))
		}
	case parquet.Int32, parquet.Int64:
		n := v.Int64()
		if v.Kind() == parquet.Int32 {
			n = int64(v.Int32())
		}
		if c.field == fieldModified {
			r.modified = unixTime(n, c.unit)
			return nil
		}
		return p.table.set(r, c.field, fmt.Sprint(n))
	}
	return nil
}

func unixTime(n int64, unit time.Duration) time.Time {
	in := int64(time.Second / unit)
	return time.Unix(n/in, n%in*int64(unit)).UTC()
}

// pages reads the values of one column in one group of rows. Before the library reads a page, its header is checked,
// because the library takes the memory that the header asks for.
type pages struct {
	in     io.ReaderAt
	codec  format.CompressionCodec
	pages  parquet.Pages
	at     int64 // of the header of the next page
	page   parquet.Page
	values parquet.ValueReader
	buffer []parquet.Value
	n, end int
}

func newPages(in io.ReaderAt, f *parquet.File, group int, c *parquet.Column) *pages {
	meta := f.Metadata().RowGroups[group].Columns[c.Index()].MetaData
	p := &pages{in: in, codec: meta.Codec, pages: f.RowGroups()[group].ColumnChunks()[c.Index()].Pages(), at: meta.DataPageOffset, buffer: make([]parquet.Value, 256)}
	if meta.DictionaryPageOffset != 0 {
		p.at = meta.DictionaryPageOffset
	}
	return p
}

// next returns the value after some that are skipped. It is valid until the next call.
func (p *pages) next(skip int64) (parquet.Value, error) {
	for {
		if buffered := int64(p.end - p.n); skip < buffered {
			p.n += int(skip) + 1
			return p.buffer[p.n-1], nil
		} else {
			skip -= buffered
			p.n, p.end = 0, 0
		}
		if p.values == nil {
			if err := p.turn(); err != nil {
				return parquet.Value{}, err
			}
			if rows := p.page.NumRows(); skip >= rows {
				skip -= rows
				p.release()
				continue
			}
		}
		n, err := p.values.ReadValues(p.buffer)
		p.end = n
		if err == io.EOF {
			p.values = nil // the page stays until its values are used
		} else if err != nil {
			return parquet.Value{}, err
		}
	}
}

// turn opens the next page of data.
func (p *pages) turn() error {
	p.release()
	for data := false; !data; {
		var err error
		if data, err = p.check(); err != nil {
			return err
		}
	}
	page, err := p.pages.ReadPage()
	if err != nil {
		return err
	}
	p.page, p.values = page, page.Values()
	return nil
}

// check checks the header of the next page, and passes it. It reports whether the page has data.
func (p *pages) check() (bool, error) {
	page, err := parquetfile.ReadPage(p.in, p.at, maxPage)
	if err != nil {
		return false, err
	}
	p.at = page.Next
	return page.IsData(), page.CheckSize(p.in, p.codec)
}

func (p *pages) release() {
	if p.page != nil {
		parquet.Release(p.page)
		p.page, p.values = nil, nil
	}
}

func (p *pages) close() {
	p.release()
	_ = p.pages.Close() // it was only read
}
