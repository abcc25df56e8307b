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

// One goroutine for each stream is all it takes.
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

// A state that was saved here can be resumed with crypto/md5, and the other way round.
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
