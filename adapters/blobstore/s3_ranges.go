package blobstore

import (
	"context"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

const (
	// wide is how many requests for content a process has under way before ranges
	// stop being worth their memory: as many objects fill the network without them.
	wide = 16
	// rangesFrom is the size in bytes of the smallest object that is ever read in
	// ranges.
	rangesFrom = 4 * partBytes
	// gain is how much faster one more request must make it for yet another. If
	// it does not, that is not tried again for some samples.
	gain     = 1.1
	settling = 64
)

// s3Requests is how many requests for content this process has under way.
var s3Requests atomic.Int64

// s3Ranges is the content of one version of a large object. It begins as the body
// of one request. When whoever reads it waits for bytes most of the time, the next
// ranges are asked for side by side, one more each time, as long as that makes it
// faster. They come in order. It is used by one goroutine at a time.
type s3Ranges struct {
	first  *s3Content // that tells which version it is
	body   *s3Content // until cut; nil once it is read
	cut    int64
	offset int64 // of the next byte to read
	next   int64 // of the next byte to ask for
	size   int64
	part   int64 // length of a range

	ctx     context.Context // of the ranges
	cancel  context.CancelFunc
	fetches sync.WaitGroup
	parts   []*s3Part // in order
	want    int       // how many parts to have
	closed  bool

	began  time.Time // of the sample
	sample int64     // bytes that it takes to judge
	read   int64     // bytes, in the sample
	waited time.Duration
	rate   float64 // bytes a second of the sample before, if it led to one more part
	settle int     // samples in which more would not be faster
}

// s3Part is a range. Its buffer may be read once ready is closed.
type s3Part struct {
	buf    []byte
	rest   []byte // that was not read
	ready  chan struct{}
	err    error
	source *s3Content
}

// newRanges returns c, or what reads c in ranges if enough is left of it.
func newRanges(c *s3Content) content {
	s3Requests.Add(1)
	if c.size-c.offset < rangesFrom {
		return &s3Whole{c}
	}
	r := &s3Ranges{first: c, body: c, cut: c.size, offset: c.offset, next: c.size, size: c.size, part: partLength(c.etag, c.size)}
	r.measure(partBytes)
	r.ctx, r.cancel = context.WithCancel(c.ctx)
	return r
}

// from returns a range of the content.
func (r *s3Ranges) from(offset, end int64) *s3Content {
	c := r.first
	return &s3Content{
		s3: c.s3, ctx: r.ctx, key: c.key, customerKey: c.customerKey,
		versionID: c.versionID, etag: c.etag, size: c.size, begun: true,
		offset: offset, end: end,
	}
}

// s3Whole is the content of an object that is read in one request.
type s3Whole struct{ *s3Content }

// Close implements io.Closer.
func (c *s3Whole) Close() error {
	if !c.closed {
		s3Requests.Add(-1)
	}
	return c.s3Content.Close()
}

// partLength returns the length of ranges such that they end where parts of the
// object end, if its ETag tells how many it was uploaded in.
func partLength(etag string, size int64) int64 {
	const mib = 1 << 20
	_, count, _ := strings.Cut(etag, "-")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 || n > 10_000 {
		return partBytes
	}
	// All parts but the last have one length, mostly the smallest possible one in MiB.
	whole := ((size+n-1)/n + mib - 1) / mib
	if (size+whole*mib-1)/(whole*mib) != n {
		return partBytes
	}
	for length := int64(8); length <= 16; length++ {
		if whole%length == 0 || length%whole == 0 {
			return length * mib
		}
	}
	return partBytes
}

// claims implements claimant.
func (r *s3Ranges) claims(ctx context.Context) []pipeline.Claim { return r.first.claims(ctx) }

// Read implements io.Reader.
func (r *s3Ranges) Read(p []byte) (int, error) {
	begins := r.offset == 0
	n, err := r.readNext(p)
	return n, r.first.check(begins, p[:n], err)
}

func (r *s3Ranges) readNext(p []byte) (int, error) {
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
		n, err = r.body.read(p[:min(int64(len(p)), r.cut-r.offset)])
		r.waited += time.Since(start)
	} else {
		n, err = r.readPart(p, start)
	}
	r.offset += int64(n)
	r.read += int64(n)
	if r.body != nil && r.offset == r.cut {
		r.leave()
		if r.offset < r.size {
			err = nil
		}
	}
	return n, err
}

// leave ends the request of the body.
func (r *s3Ranges) leave() {
	// Of what follows something may be on its way already. It will come again.
	r.body.drop()
	r.body = nil
	s3Requests.Add(-1)
}

// readPart reads from the first part.
func (r *s3Ranges) readPart(p []byte, start time.Time) (int, error) {
	part := r.parts[0]
	<-part.ready // it ends with the context of whoever opened the object
	r.waited += time.Since(start)
	if part.err != nil {
		return 0, part.err
	}
	n := copy(p, part.rest)
	part.rest = part.rest[n:]
	if len(part.rest) == 0 {
		part.source.s3.memory.give(part.buf)
		r.parts = r.parts[1:]
		r.ask()
	}
	if r.offset+int64(n) == r.size {
		return n, io.EOF
	}
	return n, nil
}

// stream goes on with one request, as there is no memory for parts or enough
// else to read.
func (r *s3Ranges) stream() {
	r.body = r.from(r.offset, r.size)
	r.cut, r.next, r.want = r.size, r.size, 0
	r.measure(partBytes)
	s3Requests.Add(1)
}

// measure begins a sample of so many bytes.
func (r *s3Ranges) measure(sample int64) {
	r.began, r.sample, r.read, r.waited = time.Now(), sample, 0, 0
}

// judge wants one more part if whoever reads has to wait most of the time.
func (r *s3Ranges) judge() {
	if r.read < r.sample || r.body != nil && r.want > 0 {
		return
	}
	took := time.Since(r.began)
	rate := float64(r.read) / took.Seconds()
	hungry := r.waited.Seconds() > r.first.s3.patience*took.Seconds()
	r.measure(r.sample)
	switch {
	case r.settle > 0:
		r.settle--
	case !hungry || r.want == wide-1:
		r.rate = 0
	case rate < gain*r.rate:
		r.rate, r.settle = 0, settling
	case r.want > 0:
		r.more(rate)
	default:
		// The body goes on while the parts after it are on their way.
		r.cut = (r.offset/r.part + 2) * r.part
		r.next = r.cut
		if r.cut < r.size {
			r.more(rate)
		}
		if len(r.parts) == 0 {
			r.cut, r.next, r.want = r.size, r.size, 0
		}
	}
}

// more asks for one part more than before, at which bytes came at a rate.
func (r *s3Ranges) more(rate float64) {
	r.want++
	r.rate = rate
	r.measure(int64(r.want+1) * r.part)
	r.ask()
}

// ask asks for parts until there are as many as are wanted, or can be had.
func (r *s3Ranges) ask() {
	for len(r.parts) < r.want && r.next < r.size && s3Requests.Load() < wide {
		end := min((r.next/r.part+1)*r.part, r.size)
		c := r.from(r.next, end)
		buf := c.s3.memory.take(end - r.next)
		if buf == nil {
			return
		}
		part := &s3Part{buf: buf, rest: buf, ready: make(chan struct{}), source: c}
		r.parts = append(r.parts, part)
		r.next = end
		s3Requests.Add(1)
		r.fetches.Go(part.fetch)
	}
}

// fetch fills the buffer.
func (p *s3Part) fetch() {
	defer close(p.ready)
	defer s3Requests.Add(-1)
	_, p.err = io.ReadFull(p.source, p.buf)
	_ = p.source.Close() // it has given all, or failed
}

// Close implements io.Closer. When it returns, no request is under way.
func (r *s3Ranges) Close() error {
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
		r.first.s3.memory.give(part.buf)
	}
	r.parts = nil
	return nil
}
