package parquetfile

import (
	"compress/gzip"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// maxWindow is what unpacking ZSTD may look back on, in bytes. Its usual levels have 8 MiB at most.
const maxWindow = 32 << 20

// CheckSize checks that a page does not unpack to more bytes than its header says, which the library does not. Pages in
// GZIP and ZSTD are unpacked for that. Errors that are not DamagedErrors are those of reading, or of unpacking.
func (p Page) CheckSize(in io.ReaderAt, codec format.CompressionCodec) error {
	packed, most := int64(p.CompressedPageSize), int64(p.UncompressedPageSize)
	at := p.body
	if p.Type == format.DataPageV2 {
		h := p.DataPageHeaderV2.V
		levels := int64(h.RepetitionLevelsByteLength) + int64(h.DefinitionLevelsByteLength) // they are not packed
		if levels < 0 || levels > packed || levels > most {
			return damaged("the levels of a page have %d bytes of %d", levels, packed)
		}
		at, packed, most = at+levels, packed-levels, most-levels
	}
	if packed == 0 {
		return nil
	}
	body := io.NewSectionReader(in, at, packed)
	switch codec {
	case format.Uncompressed:
		return nil
	case format.Snappy:
		begin := make([]byte, binary.MaxVarintLen64)
		n, err := body.Read(begin)
		if err != nil && err != io.EOF {
			return err
		}
		if length, ok := binary.Uvarint(begin[:n]); ok <= 0 || length > uint64(most) {
			return damaged("a page of %d bytes unpacks to %d", most, length)
		}
		return nil
	case format.Gzip:
		z, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		return checkLength(z, most)
	case format.Zstd:
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
		defer z.Close()
		return checkLength(z, most)
	}
	return damaged("it is packed by %s: choose SNAPPY, GZIP or ZSTD", codec)
}

func checkLength(unpacked io.Reader, most int64) error {
	n, err := io.Copy(io.Discard, io.LimitReader(unpacked, most+1))
	if err == nil && n > most {
		return damaged("a page of %d bytes unpacks to more", most)
	}
	return err
}
