//go:build unix

package blobstore_test

import (
	"crypto/md5"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// usedCPU returns what this process has used, in user and system mode.
func usedCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU reports how much of it an operation took.
func reportCPU(b *testing.B, used time.Duration) {
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-µs/op")
}

// benchmarkRead reads and digests one object over and over, 32 times at once on
// each CPU.
func benchmarkRead(b *testing.B, store *blobstore.Store, o pipeline.Object, size int64) {
	b.SetBytes(size)
	b.ReportAllocs()
	b.SetParallelism(32)
	digests := sync.Pool{New: func() any {
		d, err := digest.New("md5")
		if err != nil {
			b.Error(err)
		}
		return d
	}}
	b.ResetTimer()
	before := usedCPU(b)
	defer func() { reportCPU(b, usedCPU(b)-before) }()
	b.RunParallel(func(pb *testing.PB) {
		d := digests.Get().(*digest.Digest)
		for pb.Next() {
			d.Reset()
			r, err := store.Open(b.Context(), o)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := digest.Copy(b.Context(), d, r); err != nil {
				b.Error(err)
			}
			if err := r.Close(); err != nil {
				b.Error(err)
			}
		}
	})
}

var readSizes = []int{16 << 10, 64 << 10, 1 << 20, 64 << 20}

func BenchmarkReadFolder(b *testing.B) {
	for _, size := range readSizes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a"), make([]byte, size), 0o600); err != nil {
				b.Fatal(err)
			}
			o := pipeline.Object{Bucket: "test", Key: "a", Size: pipeline.UnknownSize}
			benchmarkRead(b, openFolder(b, dir, blobstore.Config{}), o, int64(size))
		})
	}
}

func BenchmarkReadS3(b *testing.B) {
	server := awsenv.StartVersitygw(b)
	for _, size := range readSizes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			bucket := makeBucket(b, server, false)
			o := bucket.put(b, "a", strings.Repeat("x", size))
			benchmarkRead(b, bucket.open(b, blobstore.Config{}), o, int64(size))
		})
	}
}

// BenchmarkReadOneOnS3 reads and digests a large object that is read alone. It also
// reports the rate as a share of that of crypto/md5 from memory, measured just before
// and after.
func BenchmarkReadOneOnS3(b *testing.B) {
	const size = 1 << 30
	server := awsenv.StartVersitygw(b)
	bucket := makeBucket(b, server, false)
	f, err := os.Create(filepath.Join(server.Dir, bucket.name, "a"))
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		b.Fatal(err)
	}
	store := bucket.open(b, blobstore.Config{})
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
		start, before := time.Now(), usedCPU(b)
		d, err := digest.New("md5")
		if err != nil {
			b.Fatal(err)
		}
		r, err := store.Open(b.Context(), pipeline.Object{Bucket: bucket.name, Key: "a", Size: pipeline.UnknownSize})
		if err != nil {
			b.Fatal(err)
		}
		if n, err := digest.Copy(b.Context(), d, r); n != size || err != nil {
			b.Errorf("%d bytes, %v", n, err)
		}
		if err := r.Close(); err != nil {
			b.Error(err)
		}
		took, used = took+time.Since(start), used+usedCPU(b)-before
		b.StopTimer()
		alone += hash() / 2
		b.StartTimer()
	}
	reportCPU(b, used)
	b.ReportMetric(alone.Seconds()/took.Seconds(), "of-md5")
}

// BenchmarkSaveOnS3 writes records of objects that have none yet, 32 at once on each
// CPU, with the checksums of requests that the SDK adds by itself and without.
func BenchmarkSaveOnS3(b *testing.B) {
	for _, checksums := range []string{"when_supported", "when_required"} {
		b.Run(checksums, func(b *testing.B) {
			bucket := makeBucket(b, awsenv.StartVersitygw(b), false)
			u := strings.Replace(bucket.url(), "when_required", checksums, 1)
			store, err := blobstore.Open(b.Context(), u, bucket.name, blobstore.Config{})
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
		r := sumOf(fmt.Sprintf("%02x/%d", n%256, n), "e1", "01")
		if err := records.Save(b.Context(), r); err != nil {
			b.Error(err)
		}
	}
	save(0) // finds out what the store can do
	var saved atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	before := usedCPU(b)
	defer func() { reportCPU(b, usedCPU(b)-before) }()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			save(saved.Add(1))
		}
	})
}
