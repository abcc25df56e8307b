package inventory_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/bucketsum/bucketsum/adapters/inventory"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// s3Row has the columns of S3 Inventory in Parquet, with the names and types of its documentation.
type s3Row struct {
	Bucket         string     `parquet:"bucket"`
	Key            string     `parquet:"key,snappy"`
	VersionID      *string    `parquet:"version_id,optional"`
	IsLatest       *bool      `parquet:"is_latest,optional"`
	IsDeleteMarker *bool      `parquet:"is_delete_marker,optional"`
	Size           *int64     `parquet:"size,optional"`
	Modified       *time.Time `parquet:"last_modified_date,optional,timestamp(millisecond)"`
	ETag           *string    `parquet:"e_tag,optional"`
	Class          *string    `parquet:"storage_class,optional,dict"`
}

func s3Rows(n int) []s3Row {
	yes, no, class, modified := true, false, "STANDARD", time.Date(2026, 11, 28, 10, 11, 12, 345e6, time.UTC)
	rows := make([]s3Row, n)
	for i := range rows {
		size, etag, version := int64(i), fmt.Sprintf("%032x", i), fmt.Sprintf("v%d", i)
		rows[i] = s3Row{bucket, fmt.Sprintf("a b+%%20/%06d", i), &version, &yes, &no, &size, &modified, &etag, &class}
		if i%7 == 3 {
			rows[i].IsLatest = &no
		}
		if i%7 == 4 {
			rows[i].IsDeleteMarker, rows[i].Size, rows[i].ETag, rows[i].Class = &yes, nil, nil, nil
		}
	}
	return rows
}

// parquetFile returns a file with groups of 300 rows and pages of some 20.
func parquetFile(t testing.TB, rows []s3Row) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[s3Row](&b, parquet.MaxRowsPerRowGroup(300), parquet.PageBufferSize(500))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParquet(t *testing.T) {
	content := parquetFile(t, s3Rows(1000))
	dir := t.TempDir()
	write(t, dir, "1.parquet", string(content))
	v := open(t, inventory.Config{Name: write(t, dir, "manifest.json", s3Manifest(t, "Parquet", map[string][]byte{"x/data/1.parquet": content}))})
	got, faults := items(t, v, sweep.Range{})
	var want []sweep.Item
	for i := range 1000 {
		if i%7 != 3 && i%7 != 4 {
			want = append(want, sweep.Item{At: at(0, i+1), Object: object(fmt.Sprintf("a b+%%20/%06d", i), fmt.Sprintf("%032x", i), int64(i)),
				Modified: time.Date(2026, 11, 28, 10, 11, 12, 345e6, time.UTC)})
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(faults) > 0 {
		t.Fatalf("faults %v, items (-want +got):\n%s", faults, diff)
	}
	for _, cut := range []int{1, 19, 299, 300, 301, 599, 600, 601, 650, 999} {
		left, _ := items(t, v, sweep.Range{Through: at(0, cut)})
		right, _ := items(t, v, sweep.Range{After: at(0, cut)})
		if diff := cmp.Diff(want, append(left, right...)); diff != "" {
			t.Errorf("cut at %d (-want +got):\n%s", cut, diff)
		}
	}
	if middle, ok, err := v.Split(t.Context(), sweep.Range{}); middle != at(0, 500) || !ok || err != nil {
		t.Errorf("split at %q, %v, %v, want row 500", middle, ok, err)
	}
}

// TestParquetDamaged: a file that is cut off or changed anywhere ends with a permanent error, or is read without one; it
// neither panics nor takes memory for what it only announces.
func TestParquetDamaged(t *testing.T) {
	good := parquetFile(t, s3Rows(12))
	dir := t.TempDir()
	read := func(content []byte) error {
		v, err := inventory.Open(t.Context(), inventory.Config{Name: write(t, dir, "1.parquet", string(content)), Bucket: bucket})
		if err != nil {
			return err
		}
		for i, err := range v.Items(t.Context(), sweep.Range{}) {
			if i.At == "" {
				return err
			}
		}
		return nil
	}
	if err := read(good); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(good); n += 2 {
		if n%16 == 0 {
			if err := read(good[:n]); pipeline.Classify(err) != pipeline.ClassPermanent || err == nil {
				t.Errorf("cut at %d: got %v, want a permanent error", n, err)
			}
		}
		if err := read(flipped(good, n)); err != nil && pipeline.Classify(err) != pipeline.ClassPermanent {
			t.Errorf("byte %d changed: got %v, want a permanent error", n, err)
		}
	}
	type other struct {
		Name int64 `parquet:"size"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[other](&b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := read(b.Bytes()); err == nil || !strings.Contains(err.Error(), "no column has the keys") {
		t.Errorf("without keys: got %v", err)
	}
	huge := binary.LittleEndian.AppendUint32(append([]byte("PAR1"), make([]byte, 64)...), 1<<31)
	if err := read(append(huge, "PAR1"...)); err == nil || !strings.Contains(err.Error(), "footer") {
		t.Errorf("with a huge footer: got %v", err)
	}
	// A list of 2³¹ columns, in a footer of some bytes.
	footer := []byte{0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0, 0, 0, 0}
	lists := append(append([]byte("PAR1"), footer...), binary.LittleEndian.AppendUint32(nil, uint32(len(footer)))...)
	if err := read(append(lists, "PAR1"...)); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("with a huge list: got %v", err)
	}
}

// TestParquetBombs: a page that unpacks to more than its header says ends with an error, before it takes that memory.
func TestParquetBombs(t *testing.T) {
	rows := s3Rows(32 << 10)
	class := strings.Repeat("x", 1000)
	for i := range rows {
		rows[i].Class = &class
	}
	for name, codec := range map[string]compress.Codec{"snappy": &parquet.Snappy, "gzip": &parquet.Gzip, "zstd": &parquet.Zstd} {
		for version := 1; version <= 2; version++ {
			t.Run(fmt.Sprintf("%s %d", name, version), func(t *testing.T) {
				var b bytes.Buffer
				type row struct {
					Key   string `parquet:"key"`
					Class string `parquet:"storage_class,plain"`
				}
				w := parquet.NewGenericWriter[row](&b, parquet.Compression(codec), parquet.DataPageVersion(version), parquet.PageBufferSize(64<<20), parquet.DefaultEncoding(&parquet.Plain))
				for _, r := range rows {
					if _, err := w.Write([]row{{r.Key, class}}); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				content := b.Bytes()
				read := func() error {
					v := open(t, inventory.Config{Name: write(t, t.TempDir(), "1.parquet", string(content))})
					for i, err := range v.Items(t.Context(), sweep.Range{}) {
						if i.At == "" {
							return err
						}
					}
					return nil
				}
				if err := read(); err != nil {
					t.Fatalf("as it was: %v", err)
				}
				f, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
				if err != nil {
					t.Fatal(err)
				}
				// The header begins with the type of the page, then says how many bytes it has unpacked.
				size := content[f.Metadata().RowGroups[0].Columns[1].MetaData.DataPageOffset+3:]
				_, n := binary.Uvarint(size)
				copy(size, append(bytes.Repeat([]byte{0x80}, n-1), 0))
				size[0] |= 2 * 9
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err = read()
				runtime.ReadMemStats(&after)
				if err == nil || pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), "unpacks to") {
					t.Errorf("got %v, want a permanent error about its size", err)
				}
				if took := after.TotalAlloc - before.TotalAlloc; took > 24<<20 {
					t.Errorf("it took %d bytes", took)
				}
			})
		}
	}
}
