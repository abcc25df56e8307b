//go:build unix

package md5lanes_test

import (
	"crypto/md5"
	"fmt"
	"hash"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// BenchmarkWrite compares every kernel with crypto/md5 by the MB hashed per second of CPU of
// all threads of the process, for writers of 64 KiB chunks. "hot" writers repeat one chunk of
// their own, "memory" writers go through 2 MiB of their own.
func BenchmarkWrite(b *testing.B) {
	for _, kernel := range md5lanes.Kernels() {
		e, err := md5lanes.NewEngine(md5lanes.Config{Kernel: kernel})
		if err != nil {
			b.Fatal(err)
		}
		for _, span := range []struct {
			name  string
			bytes int
		}{{"hot", 64 << 10}, {"memory", 2 << 20}} {
			for _, writers := range []int{1, 2, 3, 4, 6, 8, 16, 24, 32, 64, 128} {
				b.Run(fmt.Sprintf("%s/%s/writers=%d", kernel, span.name, writers), func(b *testing.B) {
					benchmarkWriters(b, e.New, writers, span.bytes, 64<<10)
				})
			}
		}
	}
}

// BenchmarkLone compares a lone writer with crypto/md5, by the size of its writes.
func BenchmarkLone(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 2 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("crypto/%d", size), func(b *testing.B) {
			benchmarkWriters(b, md5.New, 1, size, size)
		})
		b.Run(fmt.Sprintf("lanes/%d", size), func(b *testing.B) {
			benchmarkWriters(b, md5lanes.New, 1, size, size)
		})
	}
}

// BenchmarkObjects hashes whole small objects: New, one Write, Sum.
func BenchmarkObjects(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 16 << 10, 64 << 10} {
		for _, writers := range []int{1, 32} {
			for name, make := range map[string]func() hash.Hash{"crypto": md5.New, "lanes": md5lanes.New} {
				b.Run(fmt.Sprintf("%s/writers=%d/%d", name, writers, size), func(b *testing.B) {
					benchmark(b, writers, size, size, func(writes int, p []byte) {
						var sum [md5.Size]byte
						for range writes {
							h := make()
							h.Write(p)
							h.Sum(sum[:0])
						}
					})
				})
			}
		}
	}
}

func benchmarkWriters(b *testing.B, make func() hash.Hash, writers, span, chunk int) {
	benchmark(b, writers, span, chunk, func(writes int, p []byte) {
		h := make()
		for i := range writes {
			at := i * chunk % span
			h.Write(p[at : at+chunk])
		}
		h.Sum(nil)
	})
}

// benchmark shares b.N writes of chunk bytes among writers, each with span bytes of its own.
func benchmark(b *testing.B, writers, span, chunk int, write func(writes int, p []byte)) {
	own := make([][]byte, writers)
	for w := range own {
		own[w] = make([]byte, span)
		for i := range own[w] {
			own[w][i] = byte(i>>8 ^ i ^ w)
		}
	}
	runtime.GC()
	b.SetBytes(int64(chunk))
	b.ResetTimer()
	before := cpuTime(b)
	var wg sync.WaitGroup
	for w, p := range own {
		wg.Go(func() { write((b.N+w)/writers, p) })
	}
	wg.Wait()
	spent := cpuTime(b) - before
	b.ReportMetric(float64(b.N)*float64(chunk)/1e6/spent.Seconds(), "MB/cpu-s")
}

// cpuTime returns the CPU time that all threads of this process have used, in user and system
// mode.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
