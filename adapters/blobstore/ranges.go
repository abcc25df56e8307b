package blobstore

import (
	"context"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// wide is how many requests for content of large objects a process sends at a time before
	// ranges are no longer worth their memory: that many requests fill the network without
	// them. Small objects do not count, as they mostly wait for the answer of the store.
	wide = 16
	// rangesFrom is the size in bytes of the smallest object that is read in ranges.
	rangesFrom = 4 * partBytes
	// warmUp is how many bytes are read before the first sample: the reader may begin to read
	// ahead only then.
	warmUp = partBytes / 2
	// soon and later are how many bytes are read before parts that could not be had are tried
	// again: soon if the attempt cost nothing, later if the reading had to continue with a new
	// request.
	soon  = partBytes
	later = 8 * partBytes
)

// largeRequests is how many requests for content of objects of at least rangesFrom this process
// has under way.
var largeRequests atomic.Int64

// ranges is the content of one version of a large object. It begins as the body of one request.
// While its reader waits for bytes most of the time, it asks for the next ranges side by side,
// as many as make the reading faster. The reader gets them in order. It is used by one
// goroutine at a time.
type ranges struct {
	first  *resuming // has the version
	body   *resuming // up to cut; nil: parts are read
	cut    int64
	offset int64 // of the next byte to read
	next   int64 // of the next byte to ask for
	size   int64
	length int64 // of a range

	ctx     context.Context // of the ranges
	cancel  context.CancelFunc
	fetches sync.WaitGroup
	parts   []*part // in order
	pace    pace
	closed  bool

	skip   int64     // bytes before the sample begins
	began  time.Time // of the sample
	sample int64     // length in bytes
	read   int64     // bytes of the sample so far
	waited time.Duration
}

// part is a range. Its buffer may be read once ready is closed.
type part struct {
	buf    []byte
	rest   []byte // not read yet
	ready  chan struct{}
	err    error
	source *resuming
}

// newRanges returns what reads c in ranges, or c itself if too little is left for that.
func newRanges(c *resuming) io.ReadCloser {
	if c.content.RangeBytes == 0 || c.end-c.offset < rangesFrom {
		return c
	}
	largeRequests.Add(1)
	r := &ranges{first: c, body: c, cut: c.end, offset: c.offset, next: c.end, size: c.end, length: c.content.RangeBytes}
	r.measure(warmUp, partBytes)
	r.ctx, r.cancel = context.WithCancel(c.ctx)
	return r
}

// from returns a range of the content.
func (r *ranges) from(offset, end int64) *resuming {
	c := r.first
	return &resuming{reading: c.reading, ctx: r.ctx, content: c.content, key: c.key, offset: offset, end: end}
}

func (r *ranges) Read(p []byte) (int, error) {
	switch {
	case r.closed:
		return 0, fs.ErrClosed
	case r.offset == r.size:
		return 0, io.EOF
	}
	r.judge()
	if r.body == nil && len(r.parts) == 0 {
		r.stream()
	}
	start := time.Now()
	var (
		n   int
		err error
	)
	if r.body != nil {
		n, err = r.body.Read(p[:min(int64(len(p)), r.cut-r.offset)])
		r.waited += time.Since(start)
	} else {
		n, err = r.readPart(p, start)
	}
	r.offset += int64(n)
	if r.read += int64(n); r.skip > 0 && r.read >= r.skip {
		r.measure(0, r.sample)
	}
	if r.body != nil && r.offset == r.cut {
		r.leave()
		if r.offset < r.size {
			err = nil
		}
	}
	return n, err
}

// leave ends the request of the body.
func (r *ranges) leave() {
	// Bytes after the cut may be on their way already. They are sent again.
	r.body.drop()
	r.body = nil
	largeRequests.Add(-1)
	want := int64(r.pace.want())
	r.measure(want*r.length, (want+1)*r.length)
}

// readPart reads from the first part.
func (r *ranges) readPart(p []byte, start time.Time) (int, error) {
	part := r.parts[0]
	<-part.ready // the context of the reader ends it
	r.waited += time.Since(start)
	if part.err != nil {
		return 0, part.err
	}
	n := copy(p, part.rest)
	part.rest = part.rest[n:]
	if len(part.rest) == 0 {
		part.source.memory.give(part.buf)
		r.parts = r.parts[1:]
		r.ask()
	}
	if r.offset+int64(n) == r.size {
		return n, io.EOF
	}
	return n, nil
}

// stream continues with one request: no parts are wanted, there is no memory for them, or other
// objects fill the network.
func (r *ranges) stream() {
	r.body = r.from(r.offset, r.size)
	r.cut, r.next = r.size, r.size
	if r.pace.want() > 0 {
		r.pace.postpone(later)
	}
	r.measure(warmUp, partBytes)
	largeRequests.Add(1)
}

// measure begins a sample of that many bytes, after skipping bytes that still belong to what
// was before.
func (r *ranges) measure(skip, sample int64) {
	r.skip, r.began, r.sample, r.read, r.waited = skip, time.Now(), sample, 0, 0
}

// judge lets the pace decide at the end of each sample, except during the change from a body to
// parts or back.
func (r *ranges) judge() {
	parts := r.pace.want()
	if r.skip > 0 || r.read < r.sample || (r.body == nil) != (parts > 0) {
		return
	}
	took := time.Since(r.began)
	patience := r.first.patience
	if parts > 0 {
		patience /= 10 // copies are not counted, and no wait is needed
	}
	r.pace.judge(r.read, float64(r.read)/took.Seconds(), r.waited.Seconds() > patience*took.Seconds())
	want := r.pace.want()
	switch {
	case want == parts:
		r.measure(0, r.sample)
		return
	case parts == 0:
		// The body continues while the parts after it are on their way.
		r.cut = (r.offset/r.length + 2) * r.length
		r.next = r.cut
		if r.cut < r.size {
			r.ask()
		}
		if len(r.parts) == 0 {
			r.cut, r.next = r.size, r.size
			r.pace.postpone(soon)
			r.measure(0, r.sample)
			return
		}
	default:
		r.ask()
	}
	// The effect shows after as many parts as there are under way.
	r.measure(int64(max(parts, want))*r.length, int64(want+1)*r.length)
}

// ask asks for parts until there are as many as wanted, or no more can be had.
func (r *ranges) ask() {
	want := r.pace.want()
	for want > 0 && len(r.parts) <= want && r.next < r.size && largeRequests.Load() < wide {
		end := min((r.next/r.length+1)*r.length, r.size)
		c := r.from(r.next, end)
		buf := c.memory.take(end - r.next)
		if buf == nil {
			return
		}
		part := &part{buf: buf, rest: buf, ready: make(chan struct{}), source: c}
		r.parts = append(r.parts, part)
		r.next = end
		largeRequests.Add(1)
		r.fetches.Go(part.fetch)
	}
}

// fetch fills the buffer.
func (p *part) fetch() {
	defer close(p.ready)
	defer largeRequests.Add(-1)
	_, p.err = io.ReadFull(p.source, p.buf)
	_ = p.source.Close() // it was read completely, or failed
}

// Close implements io.Closer. When it returns, no request is under way.
func (r *ranges) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.cancel()
	if r.body != nil {
		r.leave()
	}
	r.fetches.Wait()
	for _, part := range r.parts {
		r.first.memory.give(part.buf)
	}
	r.parts = nil
	return nil
}
