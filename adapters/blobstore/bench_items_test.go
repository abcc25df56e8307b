package blobstore_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

var benchFiles = flag.Int("items.files", 20_000, "how many files BenchmarkItems lists")

// BenchmarkItems lists a folder: one directory with all files, and directories with a thousand each. It reports the
// highest heap, too.
func BenchmarkItems(b *testing.B) {
	for _, each := range []int{*benchFiles, 1000} {
		b.Run(fmt.Sprintf("files=%d/in each directory=%d", *benchFiles, each), func(b *testing.B) {
			dir := b.TempDir()
			for i := range *benchFiles {
				name := filepath.Join(dir, fmt.Sprintf("dir-%04d", i/each), fmt.Sprintf("photo-%08d.jpg", i))
				if i%each == 0 {
					if err := os.Mkdir(filepath.Dir(name), 0o777); err != nil {
						b.Fatal(err)
					}
				}
				if err := os.WriteFile(name, nil, 0o666); err != nil {
					b.Fatal(err)
				}
			}
			store := drivertest.OpenFolder(b, dir, blobstore.Config{})
			highest := uint64(0)
			for b.Loop() {
				count := 0
				for _, err := range store.Items(b.Context(), sweep.Range{}) {
					if err != nil {
						b.Fatal(err)
					}
					if count++; count%(*benchFiles/8) == 1 {
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						highest = max(highest, m.HeapInuse)
					}
				}
				if count != *benchFiles {
					b.Fatalf("got %d items", count)
				}
			}
			b.ReportMetric(float64(*benchFiles)*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
			b.ReportMetric(float64(highest)/1e6, "MB-heap")
		})
	}
}
