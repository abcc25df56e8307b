//go:build unix

package blobstore_test

import (
	"crypto/md5"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
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
