package web

import (
	"bufio"
	"io"
	"math"
	"net/http"
	"time"
)

const (
	// minProgress is the number of bytes that must arrive within the idle timeout. It ends uploads
	// that send single bytes to keep the connection open.
	minProgress = 16 << 10
	// readSize replaces sixteen small reads of the multipart parser by one system call.
	readSize = 64 << 10
	noBound  = math.MaxInt64
)

// body is the body of an upload. It limits the size of the whole body and of what the multipart parser may read
// next, and fails when the client makes no progress.
type body struct {
	buffered *bufio.Reader
	left     int64 // bytes to the bound
	form     bool  // its file is to be digested

	err   error // the first error other than the regular end
	ended bool  // the client sent the regular end
}

func newBody(w http.ResponseWriter, r *http.Request, c Config) *body {
	b := &body{left: noBound}
	limited := r.Body
	if c.MaxUpload != Unlimited {
		limited = http.MaxBytesReader(w, r.Body, c.MaxUpload)
	}
	p := &progress{body: b, r: limited, conn: http.NewResponseController(w), idle: c.IdleTimeout}
	p.extend()
	b.buffered = bufio.NewReaderSize(p, readSize)
	return b
}

// tee also writes every byte of the body to w. It must be called before the first read.
func (b *body) tee(w io.Writer) {
	b.buffered = bufio.NewReaderSize(io.TeeReader(b.buffered, w), readSize)
}

// bound makes reads fail with errTooMuchBefore after n more bytes. The parser reads up to 4 KiB ahead, so
// the bound is exact to 4 KiB.
func (b *body) bound(n int64) { b.left = n }

func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.fail(errTooMuchBefore)
		return 0, errTooMuchBefore
	}
	n, err := b.buffered.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

func (b *body) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// progress extends the read deadline of the connection as data arrives.
type progress struct {
	body    *body
	r       io.Reader
	conn    *http.ResponseController
	idle    time.Duration
	arrived int // bytes since the deadline was extended
}

func (p *progress) Read(buf []byte) (int, error) {
	n, err := p.r.Read(buf)
	p.arrived += n
	switch {
	case err == io.EOF:
		p.body.ended = true
		// The server now waits for the client to close the connection, and would take the
		// deadline for that.
		_ = p.conn.SetReadDeadline(time.Time{})
	case err != nil:
		p.body.fail(err)
	case p.arrived >= minProgress:
		p.arrived = 0
		p.extend()
	}
	return n, err
}

// extend ignores errors: if the connection is broken, the next read fails.
func (p *progress) extend() { _ = p.conn.SetReadDeadline(time.Now().Add(p.idle)) }
