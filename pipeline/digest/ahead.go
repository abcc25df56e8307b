package digest

import (
	"context"
	"io"
	"sync"
)

const (
	// aheadAfter is how many bytes a copy reads before it may read ahead. A shorter
	// copy ends before a second goroutine pays off.
	aheadAfter = 4 << 20
	// aheadChunk is how many bytes one goroutine hands to the other at once. Each
	// chunk costs a wake-up.
	aheadChunk = 512 << 10
	aheadDepth = 3 // chunks of one copy: being filled, being hashed, waiting
)

// chunk is a piece of the content that is read ahead.
type chunk struct {
	buf      [aheadChunk]byte
	n        int
	err      error // the reader's, after n bytes
	panicked any   // the value that the reader panicked with; nil if it did not
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// copyAhead copies like Copy, and reads s in a goroutine of its own. It ends with the
// error of s, io.EOF included, or with nil when ctx is done or so many copies run that
// reading ahead is of no use.
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
			panic(c.panicked) // in the goroutine of Copy's caller, who can recover it
		}
		total += int64(c.n)
		if err == nil { // nothing is hashed after a failed write
			if _, err = d.Write(c.buf[:c.n]); err == nil {
				err = c.err
			} else {
				leave()
			}
		}
		free <- c
		// Stop the reader, and continue until all that it has read is hashed.
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

// fill reads until the chunk is full, s fails or quit is closed.
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
