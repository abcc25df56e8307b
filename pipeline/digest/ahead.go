package digest

import (
	"context"
	"io"
	"sync"
)

const (
	// aheadAfter is how many bytes a copy reads before it may read ahead: what is
	// shorter is done before a second goroutine pays.
	aheadAfter = 4 << 20
	// aheadChunk is what the two goroutines hand over at once, in bytes. It costs
	// a wake-up.
	aheadChunk = 512 << 10
	aheadDepth = 3 // chunks that are filled, hashed or between that
)

// chunk is a stretch of what is read ahead.
type chunk struct {
	buf [aheadChunk]byte
	n   int
	err error // that ended it
	// panicked is what the reader panicked with.
	panicked any
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// copyAhead copies like Copy, until s ends with an error, io.EOF included, ctx is
// done or so many copies are under way that reading ahead has no use: nil.
func copyAhead(ctx context.Context, d io.Writer, s *source, fetches bool) (total int64, err error) {
	var (
		filled = make(chan *chunk, aheadDepth)
		free   = make(chan *chunk, aheadDepth)
		quit   = make(chan struct{})
	)
	for range aheadDepth {
		free <- chunks.Get().(*chunk)
	}
	go func() {
		defer close(filled)
		for {
			var c *chunk
			select {
			case <-quit:
				return
			case c = <-free:
			}
			c.fill(s, quit)
			filled <- c
			if c.err != nil || c.panicked != nil {
				return
			}
		}
	}()
	leave := sync.OnceFunc(func() { close(quit) })
	defer leave()
	for {
		var c *chunk
		select {
		case c = <-filled:
		case <-ctx.Done():
			leave()
			c = <-filled
		}
		if c == nil {
			break
		}
		if c.panicked != nil {
			panic(c.panicked) // where whoever called Copy can recover it
		}
		total += int64(c.n)
		if err == nil { // what follows a failed write is lost
			if _, err = d.Write(c.buf[:c.n]); err == nil {
				err = c.err
			} else {
				leave()
			}
		}
		free <- c
		// What was read must be hashed before this ends, unless all is in vain.
		if ctx.Err() != nil || !spare(fetches) {
			leave()
		}
	}
	for range aheadDepth {
		select {
		case c := <-free:
			chunks.Put(c)
		default:
		}
	}
	return total, err
}

// fill reads until the chunk is full, s fails or nobody wants more.
func (c *chunk) fill(s *source, quit <-chan struct{}) {
	c.n, c.err, c.panicked = 0, nil, nil
	defer func() { c.panicked = recover() }()
	for c.n < len(c.buf) && c.err == nil {
		var n int
		n, c.err = s.read(c.buf[c.n:])
		c.n += n
		select {
		case <-quit:
			return
		default:
		}
	}
}
