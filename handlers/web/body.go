package web

import (
	"bufio"
	"io"
	"math"
	"net/http"
	"time"
)

const (
	// minProgress is the number of bytes that must arrive within the idle
	// timeout. A client that sends a byte now and then only holds a connection.
	minProgress = 16 << 10
	// readSize makes one system call of what the multipart parser would read in
	// sixteen.
	readSize = 64 << 10
)

// body is the body of a request as the multipart parser reads it: limited in
// size as a whole, bounded in what the parser may read next, and gone when the
// client makes no progress.
type body struct {
	buffered *bufio.Reader
	left     int64 // bytes to the bound

	err   error // the first error that is not the regular end
	ended bool  // whether the regular end was read from the client
}

func newBody(w http.ResponseWriter, r *http.Request, c Config) *body {
	b := &body{left: math.MaxInt64}
	limited := r.Body
	if c.MaxUpload != Unlimited {
		limited = http.MaxBytesReader(w, r.Body, c.MaxUpload)
	}
	b.buffered = bufio.NewReaderSize(&progress{
		body: b,
		r:    limited,
		conn: http.NewResponseController(w),
		idle: c.IdleTimeout,
	}, readSize)
	return b
}

// bound makes reads fail with errTooMuchBefore after n more bytes. The parser
// reads up to 4 KiB ahead, so that much is uncertain.
func (b *body) bound(n int64) { b.left = n }

// unbound takes the bound away.
func (b *body) unbound() { b.left = math.MaxInt64 }

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

// progress moves the read deadline of the connection on as data arrives.
type progress struct {
	body    *body
	r       io.Reader
	conn    *http.ResponseController
	idle    time.Duration
	arrived int // bytes since the deadline was moved
}

func (p *progress) Read(buf []byte) (int, error) {
	n, err := p.r.Read(buf)
	p.arrived += n
	switch {
	case err == io.EOF:
		p.body.ended = true
		// The server now watches the connection for the client's leaving, and
		// would take the deadline for it.
		_ = p.conn.SetReadDeadline(time.Time{})
	case err != nil:
		p.body.fail(err)
	case p.arrived >= minProgress:
		p.arrived = 0
		// If the connection is broken, the next read tells.
		_ = p.conn.SetReadDeadline(time.Now().Add(p.idle))
	}
	return n, err
}
