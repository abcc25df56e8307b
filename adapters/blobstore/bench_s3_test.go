//go:build unix

package blobstore_test

import (
	"crypto/md5"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// BenchmarkReadOneOnS3 reads and digests one large object. It also reports the rate as a share
// of the rate of crypto/md5 from memory, measured just before and after.
func BenchmarkReadOneOnS3(b *testing.B) {
	const size = 1 << 30
	server := awsenv.StartVersitygw(b)
	bucket := drivertest.MakeS3Bucket(b, server, false)
	f, err := os.Create(filepath.Join(server.Dir, bucket.Name, "a"))
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		b.Fatal(err)
	}
	store := bucket.Open(b, blobstore.Config{})
	b.SetBytes(size)
	block := make([]byte, 128<<10)
	hash := func() time.Duration {
		start, h := time.Now(), md5.New()
		for range size / 8 / len(block) {
			h.Write(block)
		}
		return 8 * time.Since(start)
	}
	var took, used, alone time.Duration
	for b.Loop() {
		b.StopTimer()
		alone += hash() / 2
		b.StartTimer()
		start, before := time.Now(), cpuTime(b)
		d, err := digest.New("md5")
		if err != nil {
			b.Fatal(err)
		}
		r, err := store.Open(b.Context(), pipeline.Object{Bucket: bucket.Name, Key: "a", Size: pipeline.UnknownSize})
		if err != nil {
			b.Fatal(err)
		}
		if n, err := digest.Copy(b.Context(), d, r); n != size || err != nil {
			b.Errorf("%d bytes, %v", n, err)
		}
		if err := r.Close(); err != nil {
			b.Error(err)
		}
		took, used = took+time.Since(start), used+cpuTime(b)-before
		b.StopTimer()
		alone += hash() / 2
		b.StartTimer()
	}
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-us/op")
	b.ReportMetric(alone.Seconds()/took.Seconds(), "of-md5")
}

// BenchmarkSaveOnS3 writes records of objects without a record, 32 at once on each CPU, with
// and without the checksums of requests that the SDK adds by itself.
func BenchmarkSaveOnS3(b *testing.B) {
	for _, checksums := range []string{"when_supported", "when_required"} {
		b.Run(checksums, func(b *testing.B) {
			bucket := drivertest.MakeS3Bucket(b, awsenv.StartVersitygw(b), false)
			u := strings.Replace(bucket.Address(), "when_required", checksums, 1)
			store, err := drivertest.Drivers.Open(b.Context(), u, bucket.Name, blobstore.Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			benchmarkSave(b, store)
		})
	}
}

func benchmarkSave(b *testing.B, store *blobstore.Store) {
	records := store.Bucket().Records
	save := func(n int64) {
		r := drivertest.SumOf(fmt.Sprintf("%02x/%d", n%256, n), "e1", "01")
		if err := pipelinetest.Save(b.Context(), records, r); err != nil {
			b.Error(err)
		}
	}
	save(0) // finds out what the store can do
	var saved atomic.Int64
	b.ResetTimer()
	benchmarkParallel(b, 0, func(pb *testing.PB) {
		for pb.Next() {
			save(saved.Add(1))
		}
	})
}

// BenchmarkLookupOnS3 reads records, one request for each, and reports the CPU time of this process for one.
func BenchmarkLookupOnS3(b *testing.B) {
	store := drivertest.MakeS3Bucket(b, awsenv.StartVersitygw(b), false).Open(b, blobstore.Config{})
	records := store.Bucket().Records
	r := drivertest.SumOf("a", "e1", "01")
	if err := pipelinetest.Save(b.Context(), records, r); err != nil {
		b.Fatal(err)
	}
	before := cpuTime(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := records.Lookup(b.Context(), r.Source); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkItemsOnS3 lists a bucket of 100,000 objects, in directories with a thousand each.
func BenchmarkItemsOnS3(b *testing.B) {
	const objects = 100_000
	server := awsenv.StartVersitygw(b)
	bucket := drivertest.MakeS3Bucket(b, server, false)
	for i := range objects {
		name := filepath.Join(server.Dir, bucket.Name, fmt.Sprintf("dir-%04d", i/1000), fmt.Sprintf("photo-%08d.jpg", i))
		if i%1000 == 0 {
			if err := os.Mkdir(filepath.Dir(name), 0o777); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			b.Fatal(err)
		}
	}
	store := bucket.Open(b, blobstore.Config{})
	before, highest := cpuTime(b), uint64(0)
	for b.Loop() {
		count := 0
		for _, err := range store.Items(b.Context(), sweep.Range{}) {
			if err != nil {
				b.Fatal(err)
			}
			if count++; count%10_000 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				highest = max(highest, m.HeapInuse)
			}
		}
		if count != objects {
			b.Fatalf("got %d items", count)
		}
	}
	b.ReportMetric(objects*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N)/objects, "cpu-µs/key")
	b.ReportMetric(float64(highest)/1e6, "MB-heap")
}
