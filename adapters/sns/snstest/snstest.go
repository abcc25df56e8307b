// Package snstest signs messages as Amazon SNS does, with certificates of its own authority,
// and serves those certificates as SNS's hosts do.
package snstest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Topic is a topic in us-east-1 whose messages a [Signer] signs.
const Topic = "arn:aws:sns:us-east-1:123456789012:objects"

// issuerURL is where certificates say that their issuer's certificate is.
const issuerURL = "http://crt.example/issuer.cer"

// Server stands in for all hosts: those of SNS over TLS, and that of the authority.
type Server struct {
	Roots  *x509.CertPool // has the authority at the top
	Client *http.Client   // reaches this server under every name

	issuer    *x509.Certificate
	issuerKey crypto.Signer

	mu       sync.Mutex
	answers  http.HandlerFunc
	files    map[string][]byte // by path
	requests []string          // URLs
}

// NewServer starts a server that ends with the test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s := &Server{Roots: x509.NewCertPool(), files: make(map[string][]byte)}
	root, rootKey := s.issue(t, authority("root"), nil, nil)
	s.Roots.AddCert(root)
	s.issuer, s.issuerKey = s.issue(t, authority("issuer"), root, rootKey)
	s.files["/issuer.cer"] = s.issuer.Raw

	host, hostKey := s.issue(t, &x509.Certificate{DNSNames: []string{"sns.us-east-1.amazonaws.com", "sns.cn-north-1.amazonaws.com.cn"}}, root, rootKey)
	secure := httptest.NewUnstartedServer(s)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{host.Raw}, PrivateKey: hostKey}}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(s)
	t.Cleanup(plain.Close)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: s.Roots},
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			to := plain.Listener.Addr()
			if strings.HasSuffix(address, ":443") {
				to = secure.Listener.Addr()
			}
			return new(net.Dialer).DialContext(ctx, network, to.String())
		},
	}
	s.Client = &http.Client{Transport: transport}
	return s
}

// ServeHTTP serves the certificates.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	answers, file := s.answers, s.files[r.URL.Path]
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	s.requests = append(s.requests, scheme+"://"+r.Host+r.URL.RequestURI())
	s.mu.Unlock()
	switch {
	case answers != nil:
		answers(w, r)
	case file == nil:
		http.NotFound(w, r)
	default:
		_, _ = w.Write(file) // the test sees what the client got
	}
}

// Answer makes h answer all requests from now on; nil: the server behaves.
func (s *Server) Answer(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = h
}

// Requests returns the URLs that were asked for.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Signer signs messages.
type Signer struct {
	URL string // of its certificate
	key *rsa.PrivateKey
}

// Signer returns a new signer of the region us-east-1. change, if it is not nil, changes its
// certificate before it is issued.
func (s *Server) Signer(t testing.TB, change func(*x509.Certificate)) *Signer {
	t.Helper()
	template := &x509.Certificate{
		DNSNames: []string{"sns.amazonaws.com"}, IssuingCertificateURL: []string{issuerURL},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(template)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, numbered(template), s.issuer, key.Public(), s.issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	path := "/SimpleNotificationService-" + strings.ToLower(rand.Text()) + ".pem"
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return &Signer{URL: "https://sns.us-east-1.amazonaws.com" + path, key: key}
}

// Notification returns the fields of a notification of [Topic], not signed.
func Notification(text string) map[string]string {
	return map[string]string{
		"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": Topic,
		"Subject": "Amazon S3 Notification", "Message": text, "Timestamp": "2026-05-02T00:54:06.655Z",
		"UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
	}
}

// Sign returns the fields with a signature of the version, which is 1 or 2. It signs the
// fields that SNS's documentation names.
func (s *Signer) Sign(t testing.TB, version string, fields map[string]string) map[string]string {
	t.Helper()
	names := []string{"Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	var text strings.Builder
	for _, name := range names {
		if value, has := fields[name]; has {
			fmt.Fprintf(&text, "%s\n%s\n", name, value)
		}
	}
	hash, sum := crypto.SHA256, sha256.New()
	if version == "1" {
		hash, sum = crypto.SHA1, sha1.New()
	}
	sum.Write([]byte(text.String()))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, hash, sum.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	signed := maps.Clone(fields)
	signed["SignatureVersion"], signed["SigningCertURL"] = version, s.URL
	signed["Signature"] = base64.StdEncoding.EncodeToString(signature)
	return signed
}

// Body returns the fields as the body of a message.
func Body(t testing.TB, fields map[string]string) []byte {
	t.Helper()
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func authority(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

func numbered(template *x509.Certificate) *x509.Certificate {
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	return template
}

// issue issues a certificate that is valid for an hour; with a nil parent, of its own.
func (s *Server) issue(t testing.TB, template, parent *x509.Certificate, parentKey crypto.Signer) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, numbered(template), parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}
