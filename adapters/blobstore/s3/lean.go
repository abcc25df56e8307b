package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/httpbinding"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// lean reads small objects for less than half of the CPU time that the SDK takes. It sends the SDK's last GET again, with
// another key and a new signature. So the address, the headers, the credentials and the connections are the SDK's.
//
// It understands two answers: a whole small object, and NoSuchKey. Every other answer, and every failure to get one, goes
// to the SDK as if that had sent its first request. So the SDK retries and translates errors as always, and no request is
// sent twice.
type lean struct {
	sdk  s3.Options               // of the client
	last atomic.Pointer[template] // nil: no request of the SDK can be sent again
}

// leanLimit is the length from which the SDK reads objects: for these, its own time matters less.
const leanLimit = 64 << 10

// template is a GET of the SDK for one object.
type template struct {
	request      *http.Request // without what is of this object or of this moment
	path, raw    string        // of the URL, up to the key
	region, hash string        // that are signed
	skew         time.Duration // what the SDK adds to the time of this machine
}

// plainSignature is the signature of a GET that depends only on the request, the credentials and a region. Those for
// directory buckets and for access points in several regions do not look like it.
var plainSignature = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=[^ ]+/[0-9]{8}/([^ /]+)/s3/aws4_request, `)

// templateOf returns what can be sent again of a GET for a key; nil if it cannot.
func templateOf(r *http.Request, key string, now time.Time) *template {
	signature := plainSignature.FindStringSubmatch(r.Header.Get("Authorization"))
	date, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	path, isPath := strings.CutSuffix(r.URL.Path, key)
	raw, isRaw := strings.CutSuffix(r.URL.RawPath, httpbinding.EscapePath(key, false))
	if signature == nil || err != nil || !isPath || !isRaw || !strings.HasSuffix(raw, "/") {
		return nil
	}
	if r.Header.Get("X-Amzn-Trace-Id") != "" {
		return nil // Lambda sets one for each invocation
	}
	t := &template{r.Clone(context.Background()), path, raw, signature[1], r.Header.Get("X-Amz-Content-Sha256"), 0}
	if skew := date.Sub(now); skew.Abs() > time.Minute { // S3 accepts 15
		t.skew = skew
	}
	// The signer sets the first three. The others count the SDK's calls and attempts.
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request"} {
		t.request.Header.Del(name)
	}
	return t
}

// leanGet reads one object. It is the HTTP client of the SDK if the SDK has to do it.
type leanGet struct {
	*lean
	key    string
	answer *answer // that the SDK has not seen; nil: none
}

// answer is what came back for a request.
type answer struct {
	response *http.Response
	err      error
}

// Do implements s3.HTTPClient.
func (g *leanGet) Do(r *http.Request) (*http.Response, error) {
	g.last.Store(templateOf(r, g.key, time.Now()))
	if a := g.answer; a != nil {
		g.answer = nil
		return a.response, a.err
	}
	return g.sdk.HTTPClient.Do(r)
}

// get returns an object that is shorter than the limit, or the error of the SDK if the answer is NoSuchKey; neither if
// the SDK has to read it.
func (g *leanGet) get(ctx context.Context, limit int64) (*driver.Blob, error) {
	t := g.last.Load()
	tokens, ok := g.sdk.Retryer.(aws.RetryerV2)
	if t == nil || g.key == "" || !ok {
		return nil, nil
	}
	release, err := tokens.GetAttemptToken(ctx)
	if err != nil {
		return nil, nil
	}
	r, err := g.sign(ctx, t)
	if err != nil {
		return nil, nil
	}
	response, err := g.sdk.HTTPClient.Do(r)
	g.answer = &answer{response, err}
	switch {
	case err != nil:
	case response.StatusCode == http.StatusOK && response.ContentLength >= 0 && response.ContentLength < min(limit, leanLimit):
		data, whole := peek(response)
		if b := blobOf(response.Header, data); whole && b != nil {
			_ = response.Body.Close() // it was read
			_ = release(nil)          // it adds to the tokens for retries, and never fails
			return b, nil
		}
	case response.StatusCode == http.StatusNotFound:
		var e struct{ Code, Message string }
		if document, whole := peek(response); whole && xml.Unmarshal(document, &e) == nil && e.Code == "NoSuchKey" {
			return nil, noSuchKey(response, e.Message)
		}
	}
	return nil, nil
}

// sign returns the GET for the key.
func (g *leanGet) sign(ctx context.Context, t *template) (*http.Request, error) {
	credentials, err := g.sdk.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	r, u := t.request.WithContext(ctx), *t.request.URL
	u.Path, u.RawPath = t.path+g.key, t.raw+httpbinding.EscapePath(g.key, false)
	r.URL, r.Header = &u, r.Header.Clone()
	return r, g.sdk.HTTPSignerV4.SignHTTP(ctx, credentials, r, t.hash, "s3", t.region, time.Now().Add(t.skew), func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true // the path that is signed on S3 is the one that is sent
	})
}

// peek reads a body of known length and puts back what it has read. It reports whether this is all.
func peek(r *http.Response) (data []byte, whole bool) {
	data = make([]byte, r.ContentLength)
	n, err := io.ReadFull(r.Body, data)
	data = data[:n]
	r.Body = &struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(data), failing{err}, r.Body), r.Body}
	return data, err == nil
}

// blobOf returns an object; nil if one of its checksums is wrong or cannot be checked.
func blobOf(header http.Header, data []byte) *driver.Blob {
	const meta, checksum = "X-Amz-Meta-", "X-Amz-Checksum-"
	metadata := make(map[string]string)
	var claims []digest.Claim
	for name, values := range header {
		value := strings.TrimSpace(values[0])
		if len(name) >= len(meta) && strings.EqualFold(name[:len(meta)], meta) {
			metadata[strings.ToLower(name[len(meta):])] = value
		} else if algorithm, ok := strings.CutPrefix(name, checksum); ok && algorithm != "Type" {
			claims = append(claims, digest.Claim{Algorithm: strings.ToLower(algorithm), Value: value})
		}
	}
	if len(claims) > 0 {
		v, err := digest.NewVerifier(nil, claims)
		if err != nil {
			return nil
		}
		_, _ = v.Write(data) // it never fails
		for _, verdict := range v.Verdicts() {
			if verdict.Outcome != digest.Match {
				return nil
			}
		}
	}
	return &driver.Blob{Data: data, Metadata: driver.UnescapeMetadata(metadata), Tag: strings.TrimSpace(header.Get("ETag"))}
}

// noSuchKey returns the error of the SDK for an object that does not exist.
func noSuchKey(r *http.Response, message string) error {
	return &smithy.OperationError{ServiceID: s3.ServiceID, OperationName: "GetObject", Err: &awshttp.ResponseError{
		ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: r}, Err: &types.NoSuchKey{Message: &message}},
		RequestID:     r.Header.Get("X-Amz-Request-Id"),
	}}
}
