package awsenv

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// Before starts a proxy in front of the server and returns it as a server. The proxy
// calls handle for each request, also concurrently. handle answers the request
// itself or passes it to next, which sends it to the server.
func (s Server) Before(t testing.TB, handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) Server {
	t.Helper()
	next := s.forward(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, next) }))
	t.Cleanup(proxy.Close)
	return Server{URL: proxy.URL, Dir: s.Dir}
}

// BeforeTLS is Before with a proxy that accepts TLS only.
func (s Server) BeforeTLS(t testing.TB, handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) Server {
	t.Helper()
	next := s.forward(t)
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, next) }))
	proxy.Config.ErrorLog = log.New(io.Discard, "", 0) // some tests kill clients
	proxy.StartTLS()
	t.Cleanup(proxy.Close)
	authority := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw}), 0o666); err != nil {
		t.Fatal(err)
	}
	return Server{URL: proxy.URL, Dir: s.Dir, Authority: authority}
}

// forward returns a handler that sends requests to the server.
func (s Server) forward(t testing.TB) http.Handler {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			// The Host header stays: the request was signed for it.
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		},
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // some tests kill clients
	}
}
