package web_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web"
)

// pair is a certificate of 127.0.0.1 with this serial number, and its key.
type pair struct {
	cert, key []byte
	parsed    *x509.Certificate
}

func newPair(t *testing.T, serial int64) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), parsed,
	}
}

// tlsServer is a server with a certificate in files.
type tlsServer struct {
	t         *testing.T
	cert, key string
	address   string
	log       *lockedLog
	stop      func() error
	roots     *x509.CertPool
	modified  time.Time // of every file, as if all were written in the same moment of a coarse clock
}

// lockedLog is a log that a test reads while the server writes.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func startTLS(t *testing.T, h http.Handler) *tlsServer {
	t.Helper()
	dir := t.TempDir()
	s := &tlsServer{
		t: t, cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key"), log: &lockedLog{}, roots: x509.NewCertPool(),
		modified: time.Now().Truncate(time.Second),
	}
	s.write(newPair(t, 1))
	log := slog.New(slog.NewTextHandler(s.log, nil))
	certificate, err := web.OpenCertificate(s.cert, s.key, log)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(ctx, nil, l, h, 10*time.Second, certificate, log) }()
	s.stop = sync.OnceValue(func() error { stop(); return <-ended })
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// write replaces the files, which clients trust from now on.
func (s *tlsServer) write(p pair) {
	s.t.Helper()
	s.writeFile(s.cert, p.cert)
	s.writeFile(s.key, p.key)
	if p.parsed != nil {
		s.roots.AddCert(p.parsed)
	}
}

func (s *tlsServer) writeFile(name string, content []byte) {
	s.t.Helper()
	if err := os.WriteFile(name+".new", content, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chtimes(name+".new", s.modified, s.modified); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		s.t.Fatal(err)
	}
}

// client returns a client whose connections are its own.
func (s *tlsServer) client() *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}, ForceAttemptHTTP2: true}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// serial returns the serial number of the certificate that a new connection sees.
func (s *tlsServer) serial() int64 {
	s.t.Helper()
	conn, err := tls.Dial("tcp", s.address, &tls.Config{RootCAs: s.roots})
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestTLS: a client gets its answer by HTTP/2; old protocols and plain HTTP are refused.
func TestTLS(t *testing.T) {
	s := startTLS(t, handler(t, web.Config{}))
	response, err := s.client().Get("https://" + s.address + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 || response.Proto != "HTTP/2.0" {
		t.Errorf("%s %s", response.Proto, response.Status)
	}
	old := &tls.Config{RootCAs: s.roots, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	if conn, err := tls.Dial("tcp", s.address, old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 was accepted")
	}
	response, err = http.Get("http://" + s.address + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: %s", response.Status)
	}
	if log := s.log.String(); log != "" {
		t.Errorf("strangers fill the log: %s", log)
	}
}

// TestCertificateChanges: a new pair holds at once, and a broken one leaves the old in force.
func TestCertificateChanges(t *testing.T) {
	s := startTLS(t, handler(t, web.Config{}))
	second, third := newPair(t, 2), newPair(t, 3)
	for _, step := range []struct {
		name   string
		change func()
		want   int64
		says   string
	}{
		{"at the start", func() {}, 1, ""},
		{"renewed", func() { s.write(second) }, 2, "read again"},
		{"only one file of a pair", func() { s.writeFile(s.cert, third.cert) }, 2, "the old one stays"},
		{"both", func() { s.write(third) }, 3, "read again"},
		{"empty", func() { s.write(pair{}) }, 3, "the old one stays"},
		{"gone", func() { os.Remove(s.cert); os.Remove(s.key) }, 3, "the old one stays"},
		{"mended", func() { s.write(second) }, 2, "read again"},
	} {
		before := len(s.log.String())
		step.change()
		for range 3 {
			if got := s.serial(); got != step.want {
				t.Errorf("%s: certificate %d, want %d", step.name, got, step.want)
			}
		}
		if said := s.log.String()[before:]; !strings.Contains(said, step.says) || strings.Count(said, "\n") > 1 || (step.says == "" && said != "") {
			t.Errorf("%s: log %q, want one line with %q", step.name, said, step.says)
		}
	}
}

func TestOpenCertificate(t *testing.T) {
	p, other := newPair(t, 1), newPair(t, 2)
	for name, tc := range map[string]struct{ cert, key []byte }{
		"another key": {p.cert, other.key},
		"swapped":     {p.key, p.cert},
		"empty":       {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cert, key := filepath.Join(dir, "c"), filepath.Join(dir, "k")
			for file, content := range map[string][]byte{cert: tc.cert, key: tc.key} {
				if err := os.WriteFile(file, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := web.OpenCertificate(cert, key, nil); err == nil || strings.Contains(err.Error(), string(other.key[30:60])) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestHTTP2IsBounded: a connection has no more than 32 requests in work, and Serve waits for them.
func TestHTTP2IsBounded(t *testing.T) {
	var mu sync.Mutex
	now, most, done := map[string]int{}, 0, 0
	began, release := make(chan struct{}, 1000), make(chan struct{})
	s := startTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now[r.RemoteAddr]++
		most = max(most, now[r.RemoteAddr])
		mu.Unlock()
		began <- struct{}{}
		<-release
		mu.Lock()
		now[r.RemoteAddr]--
		done++
		mu.Unlock()
		_, _ = io.WriteString(w, "done")
	}))
	client := s.client()
	var asking sync.WaitGroup
	for range 100 {
		asking.Go(func() {
			response, err := client.Get("https://" + s.address + "/")
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
		})
	}
	for range 100 {
		<-began
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	close(release)
	asking.Wait()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if most > 32 || done != 100 {
		t.Errorf("%d requests on one connection; %d were done when Serve ended", most, done)
	}
}
