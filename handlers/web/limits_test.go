package web_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web"
)

// pipes is a listener of connections in memory.
type pipes struct {
	clients  chan net.Conn
	accepted atomic.Int64
	closed   chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.clients:
		p.accepted.Add(1)
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestConnectionsAreLimited expects that the server accepts 512 connections, the next one when
// another ends, and that it closes those that send nothing.
func TestConnectionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 512
		l := &pipes{clients: make(chan net.Conn), closed: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- web.Serve(ctx, nil, l, newHandler(t, web.Config{}), time.Second, nil) }()
		var conns []net.Conn
		connect := func() {
			client, server := net.Pipe()
			conns = append(conns, client)
			go func() {
				select {
				case l.clients <- server:
				case <-ctx.Done():
				}
			}()
		}
		for range most + 1 {
			connect()
		}
		synctest.Wait()
		if got := l.accepted.Load(); got != most {
			t.Errorf("%d connections were accepted, want %d", got, most)
		}
		// The clients send nothing, so that their time for a head is over.
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if got := l.accepted.Load(); got != most+1 {
			t.Errorf("%d connections were accepted after the first ones were closed, want %d", got, most+1)
		}
		for _, c := range conns {
			_ = c.Close() // the server has closed most of them
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestUploadsAreLimited fills all places for uploads. The next upload is refused, and admitted
// when one has ended.
func TestUploadsAreLimited(t *testing.T) {
	h := newHandler(t, web.Config{})
	contentType, whole := form(t, []byte("hello"))
	const most = 256
	var ends []*io.PipeWriter
	answers := make(chan int)
	upload := func(body io.Reader) *answerWriter {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "/md5", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", contentType)
		r.ContentLength = -1
		w := &answerWriter{header: make(http.Header)}
		h.ServeHTTP(w, r)
		return w
	}
	for range most {
		r, w := io.Pipe()
		ends = append(ends, w)
		go func() { answers <- upload(r).status }()
		if _, err := w.Write(whole[:10]); err != nil { // the upload reads, so it was admitted
			t.Fatal(err)
		}
	}
	if got := upload(strings.NewReader(string(whole))); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" ||
		!strings.Contains(got.body.String(), "Too many uploads at the same time") {
		t.Errorf("one upload more: %d %v %s", got.status, got.header, got.body.String())
	}
	for i, w := range ends {
		if _, err := w.Write(whole[10:]); err != nil {
			t.Fatal(err)
		}
		_ = w.Close() // a pipe's Close does not fail
		if got := <-answers; got != http.StatusOK {
			t.Errorf("an upload that was admitted: %d", got)
		}
		if i == 0 {
			if got := upload(strings.NewReader(string(whole))); got.status != http.StatusOK {
				t.Errorf("an upload after another has ended: %d %s", got.status, got.body.String())
			}
		}
	}
}

// answerWriter keeps an answer. It has no connection, whose deadlines would be set.
type answerWriter struct {
	header http.Header
	status int
	body   strings.Builder
}

func (w *answerWriter) Header() http.Header         { return w.header }
func (w *answerWriter) WriteHeader(status int)      { w.status = status }
func (w *answerWriter) Write(p []byte) (int, error) { return w.body.Write(p) }
