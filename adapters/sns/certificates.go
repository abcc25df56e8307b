package sns

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

const (
	// maxCertificate is the most that is read of a certificate, in bytes. SNS's have 2 KiB.
	maxCertificate = 64 << 10
	// maxIssuers is how many issuers of a certificate are fetched. SNS's certificates need one.
	maxIssuers = 3
	// maxKept is how many certificates are kept. SNS has one for each region, and changes it
	// once or twice a year.
	maxKept = 16
	// fetchTime limits the fetching of a certificate and its issuers.
	fetchTime = 10 * time.Second
)

// certificatePath is the path of every certificate on SNS's hosts. Other paths there answer
// with what others than AWS may have written.
var certificatePath = regexp.MustCompile(`^/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem$`)

// certificates fetches SNS's certificates and keeps their keys. Safe for concurrent use.
type certificates struct {
	client *http.Client
	roots  *x509.CertPool
	now    func() time.Time
	fetch  singleflight.Group // by URL

	mu   sync.Mutex
	keys map[string]kept // by URL
}

type kept struct {
	key   *rsa.PublicKey
	until time.Time
}

func newCertificates(c Config) *certificates {
	client := http.Client{Transport: transport()}
	if c.Client != nil {
		client = *c.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.Now == nil {
		c.Now = time.Now
	}
	return &certificates{client: &client, roots: c.Roots, now: c.Now, keys: make(map[string]kept)}
}

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxResponseHeaderBytes = 16 << 10
	t.DisableKeepAlives = true // a certificate is fetched once in months
	return t
}

// keyOf returns the key with which a topic signs, from the certificate at the URL. An error
// is permanent if no later attempt can succeed.
func (c *certificates) keyOf(rawURL, topic string) (*rsa.PublicKey, error) {
	p := partitionOf(topic)
	u, err := redact.Parse(rawURL)
	if err != nil || u.Scheme != "https" || u.Host != p.host() || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		!certificatePath.MatchString(u.EscapedPath()) {
		return nil, pipeline.Permanent(fmt.Errorf("SigningCertURL is not a certificate on https://%s", p.host()))
	}
	c.mu.Lock()
	k, has := c.keys[rawURL]
	c.mu.Unlock()
	if has && c.now().Before(k.until) {
		return k.key, nil
	}
	// Messages that need the same certificate share one fetch and its error.
	key, err, _ := c.fetch.Do(rawURL, func() (any, error) { return c.fetchKey(rawURL, p) })
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return key.(*rsa.PublicKey), nil
}

// fetchKey returns the key in the certificate at the URL and keeps it.
func (c *certificates) fetchKey(rawURL string, p partition) (*rsa.PublicKey, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	leaf, err := c.fetchChain(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(p.names(), func(name string) bool { return leaf.VerifyHostname(name) == nil }) {
		return nil, pipeline.Permanent(errors.New("it was not issued to SNS in the topic's region"))
	}
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, pipeline.Permanent(errors.New("its key is not of RSA"))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) >= maxKept {
		clear(c.keys)
	}
	c.keys[rawURL] = kept{key, leaf.NotAfter}
	return key, nil
}

// fetchChain returns the certificate at the URL after it has verified it up to the roots.
// SNS's hosts have the certificate without its issuer, so that is fetched from where the
// certificate says, as browsers do it. That needs no TLS: the signatures are checked.
func (c *certificates) fetchChain(ctx context.Context, rawURL string) (*x509.Certificate, error) {
	text, err := c.get(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, pipeline.Permanent(err)
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return nil, pipeline.Permanent(errors.New("it is not in PEM"))
	}
	for fetched := 0; ; fetched++ {
		if err = c.verifyChain(chain); err == nil {
			return chain[0], nil
		}
		last := chain[len(chain)-1]
		_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
		if !unknown || fetched == maxIssuers || len(last.IssuingCertificateURL) == 0 {
			return nil, pipeline.Permanent(err)
		}
		der, failed := c.get(ctx, last.IssuingCertificateURL[0])
		if failed != nil {
			return nil, failed
		}
		issuer, failed := x509.ParseCertificate(der)
		if failed != nil {
			return nil, pipeline.Permanent(fmt.Errorf("its issuer's: %w", failed))
		}
		chain = append(chain, issuer)
	}
}

func (c *certificates) verifyChain(chain []*x509.Certificate) error {
	issuers := x509.NewCertPool()
	for _, issuer := range chain[1:] {
		issuers.AddCert(issuer)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: issuers, CurrentTime: c.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

// get returns a body of at most maxCertificate bytes. Every error is transient.
func (c *certificates) get(ctx context.Context, rawURL string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", rawURL, response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxCertificate+1))
	if err == nil && len(body) > maxCertificate {
		err = fmt.Errorf("GET %s: more than %d bytes", rawURL, maxCertificate)
	}
	return body, err
}
