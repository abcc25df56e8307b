// Package s3 is the driver for buckets on S3, or on a store that speaks its protocol:
// s3://NAME.
//
// gocloud opens the bucket and reads its objects. The AWS SDK does what gocloud cannot: raw
// keys (gocloud rewrites control characters, "../" and "__0x41__"), conditions, records in one
// request.
package s3

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
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

	"github.com/bucketsum/bucketsum/adapters/awsfault"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Options says how buckets on S3 are read. The zero value is the default.
type Options struct {
	// RequesterPays accepts the charges of a bucket whose readers pay.
	RequesterPays bool
	// CustomerKey decrypts objects that are encrypted with it (SSE-C); other objects are read
	// without it. Records are never encrypted with it. 32 bytes; nil: no key.
	CustomerKey []byte
}

// Driver opens buckets with gocloud's parameters, and with the credentials that the AWS SDK's
// default chain finds.
func Driver(options Options) driver.Driver {
	return driver.Driver{
		Scheme:  s3blob.Scheme,
		Example: "s3://photos?region=eu-central-1",
		Open: func(ctx context.Context, u *url.URL, o driver.Options) (driver.Bucket, error) {
			return open(ctx, u, options, o)
		},
	}
}

// ReadCustomerKey reads a key for SSE-C from a file that holds its 32 bytes, or their base64.
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
		return nil, fmt.Errorf("%s: it holds neither %d bytes nor their base64", name, customerKeySize)
	}
	return key[:n], nil
}

const customerKeySize = 32

// credentialsServer is the variable with the server from which the SDK gets credentials in containers.
const credentialsServer = "AWS_CONTAINER_CREDENTIALS_FULL_URI"

// checkServer refuses the address of a server that the SDK would quote in its errors.
func checkServer(u *url.URL, setting, address string) error {
	if err := redact.Server(setting, address); err != nil {
		return fmt.Errorf("bucket URL %q: %w", redact.URL(u.String()), err)
	}
	return nil
}

// bucket is a bucket on S3.
type bucket struct {
	driver.Locks
	name        string // as the store knows it
	bucket      *blob.Bucket
	client      *s3.Client
	lean        *lean
	connections *http.Transport
	writes      s3blob.Options
	options     Options
	records     driver.RecordOptions
	log         *slog.Logger
	onAWS       bool                      // where the conditions of writes are documented
	known       atomic.Pointer[knowledge] // which conditions of writes the store honours; nil: not known
}

var _ driver.Bucket = (*bucket)(nil)

// open sends no request to S3.
func open(ctx context.Context, u *url.URL, options Options, o driver.Options) (*bucket, error) {
	if u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.Fragment != "" {
		return nil, fmt.Errorf("bucket URL %q: a bucket on S3 is s3://NAME, with parameters such as ?region=eu-west-1 and nothing else", redact.URL(u.String()))
	}
	if k := options.CustomerKey; k != nil && len(k) != customerKeySize {
		return nil, fmt.Errorf("a customer key has %d bytes, not %d", customerKeySize, len(k))
	}
	if err := errors.Join(checkServer(u, credentialsServer, os.Getenv(credentialsServer)), checkServer(u, "endpoint", u.Query().Get("endpoint"))); err != nil {
		return nil, err
	}
	var opener s3blob.URLOpener
	opened, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return nil, awsfault.Config(err, u.Query(), "use_path_style", "accelerate", "disable_https", "ssetype", "kmskeyid", "awssdk", "s3ForcePathStyle")
	}
	defer opened.Close() // only its client is needed
	b := &bucket{name: u.Host, writes: opener.Options, options: options, records: o.Records, log: o.Log}
	if !opened.As(&b.client) {
		return nil, errors.New("gocloud has no S3 client")
	}
	sdk := b.client.Options()
	if err := checkServer(u, "AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 or endpoint_url", aws.ToString(sdk.BaseEndpoint)); err != nil {
		return nil, err
	}
	b.onAWS = isAWS(cmp.Or(u.Query().Get("endpoint"), aws.ToString(sdk.BaseEndpoint)))
	b.connections = transportOf(sdk.HTTPClient)
	if r, ok := sdk.Retryer.(aws.RetryerV2); ok {
		sdk.Retryer = retryer{r}
	}
	sdk.Logger = sdkLog{o.Log}
	sdk.HTTPClient = &http.Client{Transport: readableErrors{b.connections}, CheckRedirect: driver.SameSite}
	// The SDK would warn about every object that was uploaded in parts.
	sdk.DisableLogOutputChecksumValidationSkipped = true
	b.client = s3.New(sdk)
	b.lean = &lean{sdk: b.client.Options()}
	if b.bucket, err = s3blob.OpenBucket(ctx, b.client, b.name, &b.writes); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *bucket) Traits() driver.Traits {
	return driver.Traits{Name: "S3", KeyLimit: 1024, SameTag: true, RecordOptions: true, Versions: true, Tags: b, Usable: b.usable, Conditions: b.saysConditions}
}

func (b *bucket) Close() error {
	err := b.bucket.Close()
	b.connections.CloseIdleConnections()
	return err
}

// transportOf returns the connections of one bucket. They keep what the SDK has read from the
// environment, such as AWS_CA_BUNDLE.
func transportOf(client s3.HTTPClient) *http.Transport {
	buildable, ok := client.(*awshttp.BuildableClient)
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}
	t := buildable.GetTransport()
	driver.TuneTransport(t)
	return t
}

// retryer waits less than the SDK does, as a pod that waits keeps a message from the others.
// The queue delivers again what fails.
type retryer struct{ aws.RetryerV2 }

func (retryer) RetryDelay(attempt int, _ error) (time.Duration, error) {
	return driver.Backoff.Delay(attempt), nil
}

func (b *bucket) Reachable(ctx context.Context) error {
	_, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name})
	return b.translate(err, "s3:ListBucket")
}

// usable reports why the bucket cannot be used, as far as this can be found out without reading
// an object or writing a record.
func (b *bucket) usable(ctx context.Context) error {
	if c := b.client.Options().Credentials; c != nil {
		if _, err := c.Retrieve(ctx); err != nil && ctx.Err() == nil {
			return cmp.Or(awsfault.Credentials(err), fmt.Errorf("the credentials cannot be loaded: %w", err))
		}
	}
	list, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket:       &b.name,
		MaxKeys:      aws.Int32(1),
		RequestPayer: b.payer(),
	})
	if faultOf(err).code == "AccessDenied" {
		// A policy may allow no more than one prefix.
		if _, there := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name}); there == nil {
			b.log.WarnContext(ctx, "the bucket may not be listed as a whole: without s3:ListBucket nothing can be backfilled, and S3 may deny access to a key that is gone instead of saying so",
				"bucket", b.name, "err", err)
			return nil
		}
	}
	switch {
	case faultOf(err).nothing():
		return b.whatIsGone(ctx, err)
	case err == nil && isForeign(list):
		return errors.New(notS3)
	}
	return b.translate(err, "s3:ListBucket")
}

func (b *bucket) payer() types.RequestPayer {
	if b.options.RequesterPays {
		return types.RequestPayerRequester
	}
	return ""
}

// customerKey is a key for SSE-C in the form that requests have. The zero value is no key.
type customerKey struct{ algorithm, key, sum *string }

// keyed calls do with the customer's key, and again without it if the store refuses the key for
// this object.
func (b *bucket) keyed(do func(customerKey) error) error {
	if b.options.CustomerKey == nil {
		return do(customerKey{})
	}
	sum := md5.Sum(b.options.CustomerKey) // S3 asks for an MD5
	err := do(customerKey{
		algorithm: aws.String("AES256"),
		key:       aws.String(base64.StdEncoding.EncodeToString(b.options.CustomerKey)),
		sum:       aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	})
	if faultOf(err).status != http.StatusBadRequest {
		return err
	}
	if plain := do(customerKey{}); faultOf(plain).status != http.StatusBadRequest {
		return plain
	}
	return err
}
