package storm

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands before the store and SQS, with TLS, and injects faults. Safe for concurrent
// use.
type proxy struct {
	url, bundle string // where it is, and the certificate to trust

	dice   *dice
	target *url.URL
	client *http.Transport
	sqs    http.Handler
	log    *requests

	faults       atomic.Pointer[faults]
	storeOutage  atomic.Int64 // until, in ns since 1970
	sqsOutage    atomic.Int64
	handshakes   atomic.Int64
	faultsServed *tally
}

// startProxy starts the proxy before the store of a URL and an SQS.
func startProxy(t testing.TB, d *dice, store string, sqs http.Handler, log_ *requests) *proxy {
	t.Helper()
	target, err := url.Parse(store)
	if err != nil {
		t.Fatal(err)
	}
	bundle, cert := newAuthority(t)
	p := &proxy{
		bundle: bundle, dice: d, target: target, sqs: sqs, log: log_, faultsServed: newTally(),
		client: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
	}
	p.faults.Store(none)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.url = "https://" + l.Addr().String()
	config := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		p.handshakes.Add(1)
		if p.hits("tls") {
			return nil, errors.New("injected")
		}
		return nil, nil
	}
	server := &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0)} // workers are killed
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(tls.NewListener(l, config)) // it was closed
	}()
	t.Cleanup(func() {
		_ = server.Close() // workers are gone
		<-done
		p.client.CloseIdleConnections()
	})
	return p
}

// hits draws whether a kind of fault hits now, and counts it.
func (p *proxy) hits(name string) bool {
	rate := p.faults.Load().rate(name)
	if rate == 0 || p.dice.float() >= rate {
		return false
	}
	p.faultsServed.add(name)
	return true
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.hits("tls") {
		w.Header().Set("Connection", "close") // there are more handshakes
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.") {
		p.toSQS(w, r)
		return
	}
	p.toStore(w, r)
}

func (p *proxy) toSQS(w http.ResponseWriter, r *http.Request) {
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the worker is gone
	}
	p.log.sqs(action, body)
	switch {
	case time.Now().UnixNano() < p.sqsOutage.Load():
		p.faultsServed.add("sqs-outage")
		reset(w)
		return
	case p.hits("sqs-reset"):
		reset(w)
		return
	case p.hits("sqs-500"):
		sqsError(w, http.StatusInternalServerError, "InternalFailure", "Receiver")
		return
	case p.hits("sqs-throttle"):
		sqsError(w, http.StatusBadRequest, "RequestThrottled", "Sender")
		return
	case p.hits("sqs-delay"):
		pause(r.Context(), p.dice.upTo(2*time.Second))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if p.hits("sqs-lost") {
		p.sqs.ServeHTTP(httptest.NewRecorder(), r)
		reset(w)
		return
	}
	p.sqs.ServeHTTP(w, r)
}

func sqsError(w http.ResponseWriter, status int, code, whose string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Query-Error", code+";"+whose)
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type":"com.amazonaws.sqs#%s","message":"injected"}`, code)
}

func (p *proxy) toStore(w http.ResponseWriter, r *http.Request) {
	tagged := p.log.store(r)
	conditional := r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Match") != ""
	write := r.Method == http.MethodPut || r.Method == http.MethodDelete
	switch {
	case time.Now().UnixNano() < p.storeOutage.Load():
		p.faultsServed.add("outage")
		reset(w)
		return
	case p.hits("reset"):
		reset(w)
		return
	case p.hits("500"):
		s3Error(w, r, http.StatusInternalServerError, "InternalError")
		return
	case p.hits("503"):
		s3Error(w, r, http.StatusServiceUnavailable, "SlowDown")
		return
	case p.hits("429"):
		s3Error(w, r, http.StatusTooManyRequests, "TooManyRequests")
		return
	case p.hits("delay"):
		pause(r.Context(), p.dice.upTo(2*time.Second))
	}
	conflict := write && conditional && p.hits("conflict")
	if conflict && p.dice.float() < 0.5 {
		s3Error(w, r, http.StatusConflict, "ConditionalRequestConflict")
		return
	}
	if tagged != nil {
		tagged.changing.RLock()
		r = r.WithContext(context.WithoutCancel(r.Context())) // the store may be at it when the worker is gone
	}
	answer, err := p.forward(r)
	if tagged != nil {
		tagged.changing.RUnlock()
	}
	if err != nil {
		reset(w) // the worker is gone
		return
	}
	defer answer.Body.Close()
	switch {
	case conflict && answer.StatusCode < 300:
		s3Error(w, r, http.StatusPreconditionFailed, "PreconditionFailed")
	case p.hits("lost"):
		reset(w)
	case p.hits("late-500"):
		s3Error(w, r, http.StatusInternalServerError, "InternalError")
	default:
		p.pass(w, r, answer)
	}
}

// forward sends the request to the store, signed as it is.
func (p *proxy) forward(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host = p.target.Scheme, p.target.Host // the Host header stays
	if r.ContentLength == 0 {
		out.Body = nil
	}
	return p.client.RoundTrip(out)
}

func s3Error(w http.ResponseWriter, r *http.Request, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>injected</Message></Error>", code)
	}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// pass sends an answer of the store to the worker, with faults in its body.
func (p *proxy) pass(w http.ResponseWriter, r *http.Request, answer *http.Response) {
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.StatusCode)
	n := answer.ContentLength
	body := answer.StatusCode < 300 && r.Method == http.MethodGet && n > 1
	switch {
	case body && p.hits("short"):
		_, _ = io.CopyN(w, answer.Body, p.dice.below(n)) // the worker may be gone
		hangUp(w, false)
	case body && p.hits("cut"):
		_, _ = io.CopyN(w, answer.Body, p.dice.below(n))
		hangUp(w, true)
	case body && p.hits("slow"):
		p.trickle(w, r, answer.Body, n)
	default:
		_, _ = io.Copy(w, answer.Body) // the worker may be gone
	}
}

// trickle sends a body of n bytes in up to 20 pieces, with waits between them.
func (p *proxy) trickle(w http.ResponseWriter, r *http.Request, body io.Reader, n int64) {
	wait := p.dice.upTo(3*time.Second) / 20
	for {
		_, err := io.CopyN(w, body, n/20+1)
		if err != nil || r.Context().Err() != nil {
			return // the end, or the worker is gone
		}
		_ = http.NewResponseController(w).Flush() // the next write reports it
		pause(r.Context(), wait)
	}
}

// reset resets the connection of a request that has no answer yet.
func reset(w http.ResponseWriter) { end(w, true) }

// hangUp ends the connection in the middle of an answer.
func hangUp(w http.ResponseWriter, abruptly bool) {
	_ = http.NewResponseController(w).Flush() // the worker may be gone
	end(w, abruptly)
}

// end ends the connection: with a reset, or as a server that closes it.
func end(w http.ResponseWriter, abruptly bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // it is closed
	}
	plain := conn
	if c, ok := conn.(*tls.Conn); ok {
		plain = c.NetConn()
	}
	if c, ok := plain.(*net.TCPConn); ok && abruptly {
		_ = c.SetLinger(0) // a reset
	}
	_ = plain.Close()
}

// newAuthority makes a certificate authority and a certificate of it for the loopback
// address. It returns the path of the authority's certificate, which clients must trust, and
// the server's certificate.
func newAuthority(t testing.TB) (bundle string, server tls.Certificate) {
	t.Helper()
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	template := func(serial int64) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "storm"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		}
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	root := template(1)
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)
	check(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	leaf := template(2)
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, rootKey)
	check(err)

	bundle = filepath.Join(t.TempDir(), "authority.pem")
	check(os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), 0o666))
	return bundle, tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}
}
