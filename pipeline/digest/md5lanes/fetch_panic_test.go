package md5lanes

import (
	"crypto/md5"
	"fmt"
	"sync"
	"testing"
)

// TestFetchPanics has 20 hashes of one engine fetch together. Of most of them next panics or
// returns an impossible length. WriteFrom of each must panic with that of its own next, and
// all bytes fetched before must be hashed.
func TestFetchPanics(t *testing.T) {
	const fetchers, bufferSize = 20, 16 << 10
	misfit := func(n int) any {
		return fmt.Sprintf("md5lanes: %d bytes were fetched into a buffer of %d", n, bufferSize)
	}
	for _, test := range []struct {
		name string
		fail func(i int) int // the last call of next
		want func(i int) any
	}{
		{"panics", func(i int) int { panic(i) }, func(i int) any { return i }},
		{"too many bytes", func(i int) int { return bufferSize + 1 + i }, func(i int) any { return misfit(bufferSize + 1 + i) }},
		{"negative length", func(i int) int { return -1 - 64*i }, func(i int) any { return misfit(-1 - 64*i) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := anyKernel(t)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for i := range fetchers {
				wg.Go(func() {
					h := e.New().(Fetcher)
					fetched, after := 0, 0
					got := panicOf(func() {
						h.WriteFrom(make([]byte, bufferSize, 2*bufferSize), func(p []byte) int {
							n := len(p)
							select {
							case <-stop:
								if after++; after > i { // not all at the same time
									if i%4 == 0 {
										return 0
									}
									return test.fail(i)
								}
								if i%5 == 1 { // part of a block left: h's goroutine calls next
									n -= i
								}
							default:
							}
							fetched += n
							return n
						})
					})
					want := test.want(i)
					if i%4 == 0 {
						want = nil
					}
					if got != want {
						t.Errorf("fetcher %d panicked with %v, want %v", i, got, want)
					}
					h.Write([]byte("more"))
					if got, want := [Size]byte(h.Sum(nil)), md5.Sum(append(make([]byte, fetched), "more"...)); got != want {
						t.Errorf("fetcher %d: sum %x of %d bytes, want %x", i, got, fetched, want)
					}
				})
			}
			e.until(fetchers, 0)
			close(stop)
			wg.Wait()
			checkIdle(t, e)
		})
	}
}

// panicOf returns what f panics with, or nil.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}
