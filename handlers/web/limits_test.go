package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
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

// connect opens a connection, which is accepted sooner or later.
func (p *pipes) connect(ctx context.Context) net.Conn {
	client, server := net.Pipe()
	go func() {
		select {
		case p.clients <- server:
		case <-ctx.Done():
		}
	}()
	return client
}

// TestConnectionsAreLimited expects that the server accepts 512 connections with a request, and the next one when
// another ends.
func TestConnectionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 512
		l := &pipes{clients: make(chan net.Conn), closed: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		release := make(chan struct{})
		h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
		go func() { ended <- web.Serve(ctx, nil, l, h, time.Second, nil, nil) }()
		var conns []net.Conn
		for range most + 1 {
			conn := l.connect(ctx)
			go func() { _, _ = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") }()
			conns = append(conns, conn)
		}
		synctest.Wait()
		if got := l.accepted.Load(); got != most {
			t.Errorf("%d connections were accepted, want %d", got, most)
		}
		close(release)
		for _, c := range conns {
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
		synctest.Wait()
		if got := l.accepted.Load(); got != most+1 {
			t.Errorf("%d connections were accepted after the first ones were closed, want %d", got, most+1)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestIdleConnectionsGiveWay: clients that keep connections open without a request do not keep a probe out. Those
// that have waited longest lose their connection.
func TestIdleConnectionsGiveWay(t *testing.T) {
	for name, first := range map[string]string{"silent": "", "after a request": "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &pipes{clients: make(chan net.Conn), closed: make(chan struct{})}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- web.Serve(ctx, nil, l, newHandler(t, web.Config{}), time.Second, nil, nil) }()
				var conns []net.Conn
				for range 600 {
					conn := l.connect(ctx)
					conns = append(conns, conn)
					if first != "" {
						if _, err := fmt.Fprint(conn, first); err != nil {
							t.Fatal(err)
						}
						response, err := http.ReadResponse(bufio.NewReader(conn), nil)
						if err != nil {
							t.Fatal(err)
						}
						_, _ = io.Copy(io.Discard, response.Body)
					}
					synctest.Wait()
				}
				start := time.Now()
				synctest.Wait()
				probe := l.connect(ctx)
				if _, err := fmt.Fprint(probe, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				response, err := http.ReadResponse(bufio.NewReader(probe), nil)
				if err != nil || response.StatusCode != http.StatusOK || time.Since(start) > time.Second {
					t.Errorf("the probe got %v, %v after %v", response, err, time.Since(start))
				}
				_, _ = io.Copy(io.Discard, response.Body)
				open := 0
				for i, c := range conns {
					_ = c.SetReadDeadline(time.Now())
					if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
						open++
					} else if i >= len(conns)-400 {
						t.Errorf("connection %d was closed: %v", i, err)
					}
					_ = c.Close()
				}
				if open < 400 || open > 512 {
					t.Errorf("%d connections are open", open)
				}
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestBodiesThatNeverComeGiveWay: requests that are answered without their body do not wait for it, because they would
// keep a probe out.
func TestBodiesThatNeverComeGiveWay(t *testing.T) {
	config := web.Config{Actions: web.Actions{NoDeadLetters: "none", Objects: map[string]web.Objects{"b": nil}}}
	for _, head := range []string{"POST /nothing", "GET /livez", "POST /v1/checksums?algorithms=rot13", "POST /v1/dead-letters/discard", "PUT /v1/objects/b/k"} {
		t.Run(head, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &pipes{clients: make(chan net.Conn), closed: make(chan struct{})}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- web.Serve(ctx, nil, l, newHandler(t, config), time.Second, nil, nil) }()
				for range 512 {
					conn := l.connect(ctx)
					go func() {
						defer conn.Close()
						_, _ = fmt.Fprint(conn, head+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
						_, _ = io.Copy(io.Discard, conn)
					}()
				}
				synctest.Wait()
				start := time.Now()
				probe := l.connect(ctx)
				_ = probe.SetDeadline(start.Add(time.Minute))
				if _, err := fmt.Fprint(probe, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				response, err := http.ReadResponse(bufio.NewReader(probe), nil)
				if took := time.Since(start); err != nil || response.StatusCode != http.StatusOK || took > 3*time.Second {
					t.Errorf("the probe got %v, %v after %v", response, err, took)
				}
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestRequestsAreLimited: a client sends 200 requests at once, then 100 a second. Others are not delayed, and probes,
// metrics and uploads are never refused, nor is this machine.
func TestRequestsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		h := newHandler(t, web.Config{Status: a.Status})
		ask := func(from, path string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.RemoteAddr = from
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		admitted := func(from, path string, n int) (count int) {
			for range n {
				if ask(from, path).Code != http.StatusTooManyRequests {
					count++
				}
			}
			return count
		}
		if got := admitted("192.0.2.1:1", "/v1/status", 300); got != 200 {
			t.Errorf("%d of 300 requests were answered", got)
		}
		for path, contentType := range map[string]string{"/v1/nowhere": "application/problem+json", "/": "application/json"} {
			w := ask("192.0.2.1:2", path)
			if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" || w.Header().Get("Content-Type") != contentType {
				t.Errorf("%s: %d %v", path, w.Code, w.Header())
			}
		}
		for _, path := range []string{"/livez", "/health", "/readyz", "/metrics", "/md5"} {
			if got := admitted("192.0.2.1:1", path, 300); got != 300 {
				t.Errorf("%d of 300 requests to %s were answered", got, path)
			}
		}
		for _, client := range []struct {
			address string
			want    int
		}{
			{"192.0.2.2:1", 200}, {"[::ffff:192.0.2.1]:1", 0},
			{"[2001:db8::1]:1", 200}, {"[2001:db8::2]:1", 0}, {"[2001:db8:0:1::1]:1", 200},
			{"127.0.0.1:1", 300}, {"127.1.2.3:1", 300}, {"[::1]:1", 300}, {"[::ffff:127.0.0.1]:1", 300}, {"@", 300},
		} {
			if got := admitted(client.address, "/v1/status", 300); got != client.want {
				t.Errorf("%d of 300 requests from %s were answered, want %d", got, client.address, client.want)
			}
		}
		time.Sleep(time.Second)
		if got := admitted("192.0.2.1:1", "/v1/status", 300); got != 100 {
			t.Errorf("%d of 300 requests were answered a second later", got)
		}
		for i := range 20_000 { // more clients than are remembered
			if w := ask(fmt.Sprintf("10.0.%d.%d:1", i>>8, i&255), "/v1/nowhere"); w.Code != http.StatusNotFound {
				t.Fatalf("client %d: %d", i, w.Code)
			}
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
