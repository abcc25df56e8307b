package md5lanes_test

import (
	"crypto/md5"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// fetch hashes data by WriteFrom with a buffer of size bytes. Some calls of next do not fill
// the buffer.
func fetch(t *testing.T, h md5lanes.Fetcher, data []byte, size int, r *rand.Rand) {
	t.Helper()
	buf := make([]byte, size)
	left := data
	ended := false
	n, err := h.WriteFrom(buf, func(p []byte) int {
		if ended {
			t.Error("next was called after it returned 0")
		}
		if r.IntN(8) == 0 {
			p = p[:1+r.IntN(len(p))]
		}
		n := copy(p, left)
		left = left[n:]
		ended = n == 0
		return n
	})
	if n != int64(len(data)) || err != nil || !ended {
		t.Errorf("WriteFrom: %d, %v, want %d", n, err, len(data))
	}
}

// TestFetch has many hashes fetch contents whose lengths are around the boundaries of blocks,
// buffers and turns. Others are written to at the same time or dropped halfway.
func TestFetch(t *testing.T) {
	lengths := []int{0, 1, 63, 64, 65, 2047, 2048, 2049, 4096, 65535, 65536, 65537}
	for _, n := range []int{1 << 20, 3 << 20} {
		lengths = append(lengths, n-1, n, n+1, n-64, n+64)
	}
	data := randomBytes(4<<20, 7)
	eachKernel(t, func(t *testing.T, e *md5lanes.Engine) {
		if e.Kernel() == "generic" {
			t.Skip("crypto/md5 is not a Fetcher")
		}
		for _, writers := range []int{1, 2, 3, 17, 40} {
			next := make(chan int)
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					r := rand.New(rand.NewPCG(uint64(w), uint64(writers)))
					for n := range next {
						p := data[w : w+n]
						h := e.New().(md5lanes.Fetcher)
						head := min(n, []int{0, 0, 64, 100, 70_000}[r.IntN(5)])
						h.Write(p[:head])
						switch r.IntN(4) {
						case 0: // hashes that fetch and hashes that are written to share the lanes
							h.Write(p[head:])
						default:
							fetch(t, h, p[head:], 1<<(12+r.IntN(7)), r)
						}
						if got, want := [md5.Size]byte(h.Sum(nil)), md5.Sum(p); got != want {
							t.Errorf("%d bytes after %d: sum %x, want %x", n, head, got, want)
						}
						e.New().(md5lanes.Fetcher).WriteFrom(make([]byte, 4096), stopAfter(5)) // and drop it
					}
				})
			}
			for _, i := range rand.New(rand.NewPCG(1, uint64(writers))).Perm(len(lengths)) {
				next <- lengths[i]
			}
			close(next)
			wg.Wait()
		}
	})
}

// stopAfter returns a next that fills the buffer n times and then returns 0.
func stopAfter(n int) func(p []byte) int {
	return func(p []byte) int {
		if n--; n < 0 {
			return 0
		}
		return len(p)
	}
}

// TestFetchersTakeTurns asserts that hashes that fetch without end, more than there are lanes,
// do not keep others waiting without limit.
func TestFetchersTakeTurns(t *testing.T) {
	e, err := md5lanes.NewEngine(md5lanes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if e.Kernel() == "generic" {
		t.Skip("this machine has no kernel")
	}
	for _, cpus := range []int{1, 2} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cpus))
		stop := make(chan struct{})
		var started, endless, short sync.WaitGroup
		for range 33 {
			started.Add(1)
			endless.Go(func() {
				first := true
				h := e.New().(md5lanes.Fetcher)
				h.WriteFrom(make([]byte, 64<<10), func(p []byte) int {
					if first {
						first = false
						started.Done()
					}
					select {
					case <-stop:
						return 0
					default:
						return len(p)
					}
				})
			})
		}
		started.Wait()
		p := randomBytes(100_000, 8)
		want := md5.Sum(p)
		for range 20 {
			short.Go(func() {
				h := e.New()
				h.Write(p)
				if got := [md5.Size]byte(h.Sum(nil)); got != want {
					t.Errorf("sum %x, want %x", got, want)
				}
			})
		}
		short.Wait()
		close(stop)
		endless.Wait()
	}
}
