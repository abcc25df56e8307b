package blobstore

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

// S3Options says how buckets on S3 are read. The zero value is the default.
type S3Options struct {
	// RequesterPays accepts that whoever reads pays.
	RequesterPays bool
	// CustomerKey decrypts objects that are encrypted with it (SSE-C); others are
	// read without it. Records are never encrypted with it. 32 bytes; nil: none.
	CustomerKey []byte
}

// ReadCustomerKey reads a key for SSE-C from a file that holds its 32 bytes, as
// they are or in base64.
func ReadCustomerKey(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if len(data) == customerKeySize {
		return data, nil
	}
	key := make([]byte, base64.StdEncoding.DecodedLen(len(data)))
	n, err := base64.StdEncoding.Decode(key, data) // it ignores newlines
	if err != nil || n != customerKeySize {
		return nil, fmt.Errorf("%s: it holds neither %d bytes nor the base64 of so many", name, customerKeySize)
	}
	return key[:n], nil
}

const customerKeySize = 32

// s3Bucket is a bucket on S3, or on a store that speaks its protocol.
//
// gocloud opens it and reads its objects. What gocloud has no way to ask for goes
// to S3 directly: raw keys (gocloud rewrites control characters, "../" and
// "__0x41__"), conditions, records in one request.
type s3Bucket struct {
	name    string // as the store knows it
	bucket  *blob.Bucket
	client  *s3.Client
	writes  s3blob.Options
	options S3Options
	records RecordOptions
	log     *slog.Logger

	locks      keyLocks
	conditions atomic.Int32 // whether the store heeds the conditions of writes
	stall      time.Duration
	patience   float64 // share of its time that a reader waits before ranges are worth it
	memory     *Memory
}

var (
	_ contents = (*s3Bucket)(nil)
	_ sidecars = (*s3Bucket)(nil)
)

// openS3 opens the bucket of a URL with gocloud's parameters, in an account that
// the AWS SDK's default chain finds. It sends no request to S3.
func openS3(ctx context.Context, u *url.URL, name string, c Config) (*Store, error) {
	if u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.Fragment != "" {
		return nil, fmt.Errorf("bucket URL %q: a bucket on S3 is s3://NAME, with parameters such as ?region=eu-west-1 and nothing else", u.Redacted())
	}
	if k := c.S3.CustomerKey; k != nil && len(k) != customerKeySize {
		return nil, fmt.Errorf("bucket %s: a customer key has %d bytes, not %d", name, customerKeySize, len(k))
	}
	var opener s3blob.URLOpener
	opened, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	var client *s3.Client
	if !opened.As(&client) {
		return nil, errors.Join(fmt.Errorf("open bucket %s: gocloud has no S3 client", name), opened.Close())
	}
	options := client.Options()
	transport := s3Transport(options.HTTPClient)
	if retryer, ok := options.Retryer.(aws.RetryerV2); ok {
		options.Retryer = s3Retryer{retryer}
	}
	if c.Log != nil {
		options.Logger = s3Log{c.Log}
	}
	options.HTTPClient = &http.Client{Transport: readableErrors{transport}, CheckRedirect: keepMethod}
	// It would warn for every object that was uploaded in parts.
	options.DisableLogOutputChecksumValidationSkipped = true
	b := &s3Bucket{
		name:    u.Host,
		client:  s3.New(options),
		writes:  opener.Options,
		options: c.S3,
		records: c.Records,
		log:     c.Log,
		stall:   time.Minute,
		memory:  c.Memory,

		patience: 0.5,
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.memory == nil {
		b.memory = NewMemory(0)
	}
	if b.bucket, err = s3blob.OpenBucket(ctx, b.client, b.name, &b.writes); err != nil {
		return nil, errors.Join(fmt.Errorf("open bucket %s: %w", name, err), opened.Close())
	}
	return &Store{name: name, contents: b, records: newRecords(c, b), s3: b, close: func() error {
		err := errors.Join(b.bucket.Close(), opened.Close())
		transport.CloseIdleConnections()
		return err
	}}, nil
}

// s3Transport returns the connections of one bucket. It keeps what the SDK has read
// from the environment, such as AWS_CA_BUNDLE. See patientTransport.
func s3Transport(client s3.HTTPClient) *http.Transport {
	buildable, ok := client.(*awshttp.BuildableClient)
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}
	t := buildable.GetTransport()
	patientTransport(t)
	return t
}

// patientTransport sets what a pool of connections needs that does not limit how
// many objects are in work at once, and never waits forever.
func patientTransport(t *http.Transport) {
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 10 * time.Second
	t.ResponseHeaderTimeout = time.Minute
	t.MaxIdleConns = 0 // no limit but that of each host
	t.MaxIdleConnsPerHost = 1024
	t.IdleConnTimeout = 30 * time.Second
	t.DisableCompression = true // what is summed is what is stored
}

// s3Retryer waits less than the SDK does, as a pod that is late keeps a message
// from the others. What it gives up comes back from the queue.
type s3Retryer struct{ aws.RetryerV2 }

// RetryDelay implements aws.Retryer.
func (s3Retryer) RetryDelay(attempt int, _ error) (time.Duration, error) {
	return backoff(attempt), nil
}

// backoff returns how long to wait after so many failed attempts, from one on.
func backoff(failures int) time.Duration {
	d := min(100*time.Millisecond<<min(failures-1, 10), 5*time.Second)
	return d/2 + rand.N(d/2)
}

// keepMethod follows no redirect that would make a GET of a PUT.
func keepMethod(r *http.Request, via []*http.Request) error {
	switch r.Response.StatusCode {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if len(via) < 10 {
			return nil
		}
	}
	return http.ErrUseLastResponse
}

// reachable reports why the bucket cannot be used, as far as that can be told
// without reading an object or writing a record.
func (b *s3Bucket) reachable(ctx context.Context) error {
	if c := b.client.Options().Credentials; c != nil {
		if _, err := c.Retrieve(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("there are no credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine or pod a role: %w", err)
		}
	}
	_, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket:       &b.name,
		MaxKeys:      aws.Int32(1),
		RequestPayer: b.payer(),
	})
	if s3FaultOf(err).code == "AccessDenied" {
		// A policy may allow no more than some prefix.
		if _, there := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name}); there == nil {
			b.log.WarnContext(ctx, "the bucket may not be listed as a whole: without s3:ListBucket nothing can be backfilled, and S3 may deny access to a key that is gone instead of saying so",
				"bucket", b.name, "err", err)
			return nil
		}
	}
	return b.translate(err, "s3:ListBucket")
}

func (b *s3Bucket) payer() types.RequestPayer {
	if b.options.RequesterPays {
		return types.RequestPayerRequester
	}
	return ""
}

// customerKey is a key for SSE-C as requests carry it. The zero value is none.
type customerKey struct{ algorithm, key, sum *string }

// keyed calls do with the customer's key, and again without it if the store does
// not take it for this object.
func (b *s3Bucket) keyed(do func(customerKey) error) error {
	if b.options.CustomerKey == nil {
		return do(customerKey{})
	}
	sum := md5.Sum(b.options.CustomerKey) // S3 wants it so
	err := do(customerKey{
		algorithm: aws.String("AES256"),
		key:       aws.String(base64.StdEncoding.EncodeToString(b.options.CustomerKey)),
		sum:       aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	})
	if s3FaultOf(err).status != http.StatusBadRequest {
		return err
	}
	if plain := do(customerKey{}); s3FaultOf(plain).status != http.StatusBadRequest {
		return plain
	}
	return err
}
