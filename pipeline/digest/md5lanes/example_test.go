package md5lanes_test

import (
	"crypto/md5"
	"encoding"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// Each stream has a goroutine and a hash of its own.
func Example() {
	streams := []string{"a stream", "another stream", "a third one"}
	sums := make([]string, len(streams))
	var wg sync.WaitGroup
	for i, s := range streams {
		wg.Go(func() {
			h := md5lanes.New()
			if _, err := io.Copy(h, strings.NewReader(s)); err != nil {
				sums[i] = err.Error()
				return
			}
			sums[i] = fmt.Sprintf("%x", h.Sum(nil))
		})
	}
	wg.Wait()
	for i, s := range streams {
		fmt.Println(sums[i], s)
	}
	// Output:
	// 920183fd922536bd0fd3ea306aeddbe9 a stream
	// 95b62507f0fc00fbeb87df28e5a2a1ca another stream
	// 6b10cf5bac18160dcb27d3af1d651193 a third one
}

// A Fetcher asks for the bytes instead of being written to.
func ExampleFetcher() {
	r := strings.NewReader("a stream that is in memory")
	h := md5lanes.New()
	next := func(buf []byte) int {
		n, _ := r.Read(buf) // 0 at the end
		return n
	}
	buf := make([]byte, 64<<10)
	if f, ok := h.(md5lanes.Fetcher); ok {
		if _, err := f.WriteFrom(buf, next); err != nil {
			fmt.Println(err)
			return
		}
	} else { // this CPU has no kernel
		for n := next(buf); n > 0; n = next(buf) {
			h.Write(buf[:n])
		}
	}
	fmt.Printf("%x\n", h.Sum(nil))
	// Output:
	// 6119acb31ebf73c92b1f606c06864294
}

// crypto/md5 resumes a state that was saved here, and the other way round.
func ExampleEngine_New_resume() {
	e, err := md5lanes.NewEngine(md5lanes.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := e.New()
	io.WriteString(h, "first half, ")
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		fmt.Println(err)
		return
	}

	resumed := md5.New()
	if err := resumed.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		fmt.Println(err)
		return
	}
	io.WriteString(resumed, "second half")
	fmt.Printf("%x\n%x\n", resumed.Sum(nil), md5.Sum([]byte("first half, second half")))
	// Output:
	// 8ea62be32c6d157bfa61e45ec121b82b
	// 8ea62be32c6d157bfa61e45ec121b82b
}
