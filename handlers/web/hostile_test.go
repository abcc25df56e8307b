package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
)

// TestOtherSitesReadNothing: a page of another site may send a request through the browser of
// a visitor, but no answer allows it to read what comes back, and none has a cookie.
func TestOtherSitesReadNothing(t *testing.T) {
	a := live.NewActivity()
	h, err := web.Handler(web.Config{Status: a.Status, Watch: a.Watch})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // streams end at once
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
		for _, path := range []string{"/", "/md5", "/status", "/records", "/livez", "/v1/status", "/v1/events", "/v1/nowhere"} {
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Access-Control-Request-Method", "POST")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(ctx))
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" {
					t.Errorf("%s %s has %s", method, path, name)
				}
			}
			if method == http.MethodOptions && w.Code < 400 {
				t.Errorf("OPTIONS %s is answered with %d", path, w.Code)
			}
		}
	}
}

// TestLongHeadIsRefused: a request's head may have 64 KiB.
func TestLongHeadIsRefused(t *testing.T) {
	h, err := web.Handler(web.Config{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(ctx, nil, l, h, time.Second, nil, nil) }()
	for size, want := range map[int]string{1 << 10: "200 OK", 128 << 10: "431 Request Header Fields Too Large"} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		// The server may answer before it has read everything.
		go func() {
			_, _ = fmt.Fprintf(conn, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", size))
		}()
		status, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(status, want) {
			t.Errorf("a head of %d bytes: %q, %v; want %s", size, status, err, want)
		}
		conn.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestStalledUploadEnds: an upload that stops arriving is refused after the idle timeout.
func TestStalledUploadEnds(t *testing.T) {
	h, err := web.Handler(web.Config{IdleTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "POST /md5 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"+
		"--b\r\nContent-Disposition: form-data; name=file; filename=f\r\n\r\nhello"); err != nil {
		t.Fatal(err)
	}
	status, err := bufio.NewReader(conn).ReadString('\n') // waits without limit if the server does
	if err != nil || !strings.Contains(status, "408") {
		t.Errorf("got %q, %v", status, err)
	}
}

// TestBrokenChunks: a body that breaks the rules of its transfer is refused as such, and not as a form that it is not.
func TestBrokenChunks(t *testing.T) {
	h, err := web.Handler(web.Config{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	for contentType, want := range map[string]string{"text/plain": "#truncated", "multipart/form-data; boundary=b": "#invalid-form"} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST /v1/checksums HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: %s\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", contentType); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), want) {
			t.Errorf("%s: status %d, want 400 and %s: %s, %v", contentType, response.StatusCode, want, body, err)
		}
	}
}
