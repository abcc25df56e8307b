package blobstore_test

import (
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

func BenchmarkSaveAndLookup(b *testing.B) {
	records := drivertest.OpenFolder(b, b.TempDir(), blobstore.Config{}).Bucket().Records
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := drivertest.SumOf("a", "e"+string(rune('0'+i%10)), "")
		if err := pipelinetest.Save(b.Context(), records, r); err != nil {
			b.Fatal(err)
		}
		if _, _, err := records.Lookup(b.Context(), r.Source); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	records := drivertest.OpenFolder(b, b.TempDir(), blobstore.Config{}).Bucket().Records
	r := drivertest.SumOf("a", "e1", "01")
	if err := pipelinetest.Save(b.Context(), records, r); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := records.Lookup(b.Context(), r.Source); err != nil {
			b.Fatal(err)
		}
	}
}
