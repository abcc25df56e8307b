// Package parquetfile checks files of Apache Parquet before a library reads them, because libraries take the memory that
// a file announces.
package parquetfile

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Limits in bytes.
const (
	maxFooter = 16 << 20
	maxHeader = 64 << 10 // of a page
)

// DamagedError says what is wrong with a file. Other errors are those of reading it.
type DamagedError struct{ Reason string }

func (e *DamagedError) Error() string { return "the Parquet file is damaged: " + e.Reason }

func damaged(format string, args ...any) error {
	return &DamagedError{fmt.Sprintf(format, args...)}
}

// Guard runs work of the library, whose panics come from damaged files.
func Guard(work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = damaged("%v", v)
		}
	}()
	return work()
}

// CheckFooter checks the end of a file.
func CheckFooter(in io.ReaderAt, size int64) error {
	tail := make([]byte, 8)
	if size < 12 {
		return damaged("it is too short")
	}
	if _, err := in.ReadAt(tail, size-8); err != nil && err != io.EOF {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(tail))
	switch {
	case string(tail[4:]) != "PAR1":
		return damaged("it is no such file: it ends with %q", strings.ToValidUTF8(string(tail[4:]), "?"))
	case n > maxFooter || n > size-12:
		return damaged("its footer has %d bytes", n)
	}
	footer := make([]byte, n)
	if _, err := in.ReadAt(footer, size-8-n); err != nil && err != io.EOF {
		return err
	}
	if err := checkThrift(footer); err != nil {
		return damaged("its footer: %v", err)
	}
	return nil
}

// Page is the header of a page.
type Page struct {
	format.PageHeader
	body int64 // where its content begins
	Next int64 // where the next page begins
}

// IsData reports whether the page has values of rows.
func (p Page) IsData() bool { return p.Type == format.DataPage || p.Type == format.DataPageV2 }

// ReadPage reads the header of the page at an offset. The page, packed and unpacked, has at most so many bytes.
func ReadPage(in io.ReaderAt, at int64, most int32) (Page, error) {
	buffer := make([]byte, 4<<10)
	for {
		n, err := in.ReadAt(buffer, at)
		if err != nil && err != io.EOF {
			return Page{}, err
		}
		var p Page
		bytes := new(thrift.CompactProtocol).NewReaderFromBytes(buffer[:n])
		fault := thrift.NewDecoder(bytes).Decode(&p.PageHeader)
		if fault != nil && n == len(buffer) && n < maxHeader {
			buffer = make([]byte, 2*len(buffer)) // it has long statistics
			continue
		}
		switch {
		case fault == io.EOF:
			return p, damaged("the header of a page is cut off")
		case fault != nil:
			return p, damaged("the header of a page: %v", fault)
		case p.CompressedPageSize < 0 || p.CompressedPageSize > most || p.UncompressedPageSize < 0 || p.UncompressedPageSize > most:
			return p, damaged("a page of %d and uncompressed %d bytes is not from 0 to %d", p.CompressedPageSize, p.UncompressedPageSize, most)
		}
		p.body = at + int64(bytes.BytesRead())
		p.Next = p.body + int64(p.CompressedPageSize)
		return p, nil
	}
}
