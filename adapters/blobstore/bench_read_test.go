//go:build unix

package blobstore_test

import (
	"crypto/md5"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// cpuTime returns the CPU time of all threads of this process, in user and system mode.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchmarkParallel runs body 32 times at once on each CPU, and reports the CPU time of one
// turn.
func benchmarkParallel(b *testing.B, size int64, body func(pb *testing.PB)) {
	b.SetBytes(size)
	b.ReportAllocs()
	b.SetParallelism(32)
	before := cpuTime(b)
	b.RunParallel(body)
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

// benchmarkRead reads and digests one object over and over.
func benchmarkRead(b *testing.B, store *blobstore.Store, o pipeline.Object, size int64) {
	digests := sync.Pool{New: func() any {
		d, err := digest.New("md5")
		if err != nil {
			b.Error(err)
		}
		return d
	}}
	benchmarkParallel(b, size, func(pb *testing.PB) {
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
			benchmarkRead(b, drivertest.OpenFolder(b, dir, blobstore.Config{}), o, int64(size))
		})
	}
}

// BenchmarkReadFiles compares many small files in a folder with the plain way to digest them:
// os.Open, a pooled buffer and crypto/md5.
func BenchmarkReadFiles(b *testing.B) {
	const count, size = 20_000, 16 << 10
	dir := b.TempDir()
	names := make([]string, count)
	content := make([]byte, size)
	for i := range names {
		names[i] = fmt.Sprintf("%02x/%05d", i%256, i)
		name := filepath.Join(dir, names[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	var turn atomic.Int64
	next := func() string { return names[turn.Add(1)%count] }
	b.Run("plain", func(b *testing.B) {
		buffers := sync.Pool{New: func() any { return new([128 << 10]byte) }}
		benchmarkParallel(b, size, func(pb *testing.PB) {
			for pb.Next() {
				f, err := os.Open(filepath.Join(dir, next()))
				if err != nil {
					b.Error(err)
					return
				}
				buf := buffers.Get().(*[128 << 10]byte)
				h := md5.New()
				if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, buf[:]); err != nil {
					b.Error(err)
				}
				buffers.Put(buf)
				h.Sum(nil)
				if err := f.Close(); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("folder", func(b *testing.B) {
		store := drivertest.OpenFolder(b, dir, blobstore.Config{})
		digests := sync.Pool{New: func() any {
			d, err := digest.New("md5")
			if err != nil {
				b.Error(err)
			}
			return d
		}}
		benchmarkParallel(b, size, func(pb *testing.PB) {
			for pb.Next() {
				d := digests.Get().(*digest.Digest)
				d.Reset()
				r, err := store.Open(b.Context(), pipeline.Object{Bucket: "test", Key: next(), Size: pipeline.UnknownSize})
				if err != nil {
					b.Error(err)
					return
				}
				if _, err := digest.Copy(b.Context(), d, r); err != nil {
					b.Error(err)
				}
				d.Sums()
				digests.Put(d)
				if err := r.Close(); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func BenchmarkReadS3(b *testing.B) {
	server := awsenv.StartVersitygw(b)
	for _, size := range readSizes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			bucket := drivertest.MakeS3Bucket(b, server, false)
			o := bucket.Put(b, "a", strings.Repeat("x", size))
			benchmarkRead(b, bucket.Open(b, blobstore.Config{}), o, int64(size))
		})
	}
}
