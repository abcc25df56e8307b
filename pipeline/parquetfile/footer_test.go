package parquetfile_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/parquetfile"
)

// A footer that is short, and for which the library takes gigabytes, is refused. One of a large table is not.
func TestCheckFooterMemory(t *testing.T) {
	// A column of a group of rows with nothing but its offset has 3 bytes, and 560 in the memory of the library.
	bomb := groups(100, 40_000, []byte{0x26, 0, 0})
	if err := parquetfile.CheckFooter(bytes.NewReader(bomb), int64(len(bomb))); err == nil || !strings.Contains(err.Error(), "of memory") {
		t.Errorf("a footer of %d bytes: %v", len(bomb), err)
	}
	column := []byte{0x26, 0, 0x1c} // with metadata
	column = append(column, 0x15, 2, 0x19, 0x35, 0, 6, 8, 0x19, 0x18, 1, 'x', 0x15, 2, 0x16, 2, 0x16, 2, 0x16, 2, 0x26, 2)
	column = append(column, 0x3c, 0x36, 0, 0, 0x19, 0x2c, 0x15, 0, 0x15, 0, 0x15, 2, 0, 0x15, 4, 0x15, 0, 0x15, 2, 0, 0, 0)
	large := groups(1000, 50, column)
	if err := parquetfile.CheckFooter(bytes.NewReader(large), int64(len(large))); err != nil {
		t.Errorf("a footer of %d bytes: %v", len(large), err)
	}
}

// groups returns a file whose footer has so many groups of rows with so many columns each.
func groups(n, columns int, column []byte) []byte {
	list := func(b []byte, n int) []byte { return binary.AppendUvarint(append(b, 0x19, 0xfc), uint64(n)) }
	footer := append(list([]byte{0x15, 2}, 1), 0x48, 1, 'x', 0) // version, schema
	footer = list(append(footer, 0x16, 0), n)
	for range n {
		footer = append(list(footer, columns), bytes.Repeat(column, columns)...)
		footer = append(footer, 0x16, 0, 0x16, 0, 0)
	}
	footer = append(footer, 0)
	file := append([]byte("PAR1"), footer...)
	return append(binary.LittleEndian.AppendUint32(file, uint32(len(footer))), "PAR1"...)
}
