package awsenv

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// Before starts a proxy in front of the server and returns it as a server. The
// test's handle sees every request and decides what becomes of it: next sends it
// to the server. It is called for several requests at once.
func (s Server) Before(t testing.TB, handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) Server {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	next := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			// The host stays what the request was signed for.
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		},
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // clients that go away are part of the tests
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, next) }))
	t.Cleanup(func() {
		proxy.Close()
		transport.CloseIdleConnections()
	})
	return Server{URL: proxy.URL, Dir: s.Dir}
}
