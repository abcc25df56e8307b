package unreached_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/unreached"
)

// TestWhy asks servers that are wrong in one way each.
func TestWhy(t *testing.T) {
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	plain, secure := httptest.NewServer(ok), httptest.NewUnstartedServer(ok)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	secure.StartTLS()
	defer plain.Close()
	defer secure.Close()
	gone := httptest.NewServer(ok)
	gone.Close()
	trusting := func(name string) *http.Client {
		c := secure.Client()
		c.Transport.(*http.Transport).TLSClientConfig.ServerName = name
		return c
	}
	for _, tc := range []struct {
		name, url string
		client    *http.Client
		want      string
	}{
		{"nothing listens", gone.URL, http.DefaultClient, "nothing listens there: start the server"},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), http.DefaultClient, "does not speak TLS there"},
		{"authority", secure.URL, http.DefaultClient, "does not know the authority of the server's certificate"},
		{"other name", secure.URL, trusting("other.example.net"), `certificate is not for "other.example.net"`},
	} {
		_, err := tc.client.Get(tc.url)
		if err == nil {
			t.Fatalf("%s: there is an answer", tc.name)
		}
		if got := unreached.Explain(fmt.Errorf("open: %w", err)); !strings.Contains(got.Error(), tc.want) || !errors.Is(got, err) {
			t.Errorf("%s: got %v, want %q", tc.name, got, tc.want)
		}
	}
	for want, err := range map[string]error{
		`there is no host "x.invalid": correct the address`: &net.OpError{Op: "dial", Err: &net.DNSError{Name: "x.invalid", IsNotFound: true}},
		`the host "x.invalid" cannot be found out now`:      &net.DNSError{Name: "x.invalid", IsTimeout: true},
		"has expired": &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}},
	} {
		if got := unreached.Why(err); !strings.Contains(got, want) {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
	for _, err := range []error{nil, context.Canceled, errors.New("connection refused")} {
		if got := unreached.Explain(err); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}
