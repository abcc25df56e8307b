// Package gcs is the driver for buckets on Google Cloud Storage: gs://NAME. It uses the JSON
// API.
//
// gocloud's driver would link the SDK with gRPC and xDS, which makes the program 7 MB larger,
// and it reports an object as gone when access is denied.
package gcs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"
	htransport "google.golang.org/api/transport/http"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

// Driver opens buckets with the application default credentials. Parameters: anonymous=true
// for public buckets, and with it endpoint=URL for another server. Like Google's own
// libraries it obeys STORAGE_EMULATOR_HOST, and then needs no credentials.
var Driver = driver.Driver{Scheme: "gs", Example: "gs://photos", Open: open}

// bucket is a bucket on Google Cloud Storage.
type bucket struct {
	driver.Locks
	name        string
	api         *storage.Service
	connections *http.Transport
}

func open(ctx context.Context, u *url.URL, _ driver.Options) (driver.Bucket, error) {
	if u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.Fragment != "" {
		return nil, fmt.Errorf("bucket URL %q: a bucket on Google Cloud Storage is gs://NAME, with parameters and nothing else", redact.URL(u.String()))
	}
	query := u.Query()
	anonymous, err := strconv.ParseBool(cmp.Or(query.Get("anonymous"), "false"))
	if err != nil {
		return nil, fmt.Errorf("bucket URL %q: anonymous is true or false", redact.URL(u.String()))
	}
	for parameter := range query {
		if parameter != "anonymous" && parameter != "endpoint" {
			return nil, fmt.Errorf("bucket URL %q: %w", redact.URL(u.String()), suggest.Unknown("parameter", parameter, []string{"anonymous", "endpoint"}))
		}
	}
	endpoint := query.Get("endpoint")
	if emulator := os.Getenv("STORAGE_EMULATOR_HOST"); endpoint == "" && emulator != "" {
		if endpoint, anonymous = emulator, true; !strings.Contains(emulator, "://") {
			endpoint = "http://" + emulator
		}
	}
	if endpoint != "" && !anonymous {
		// A list of checksums may name URLs, too.
		return nil, fmt.Errorf("bucket URL %q: endpoint takes anonymous=true, as credentials are sent to Google only", redact.URL(u.String()))
	}
	// Google's client panics if the address does not parse, and quotes it.
	if err := redact.Server("endpoint or STORAGE_EMULATOR_HOST", endpoint); err != nil {
		return nil, fmt.Errorf("bucket URL %q: %w", redact.URL(u.String()), err)
	}
	connections := driver.Transport()
	var rt http.RoundTripper = transport{connections}
	if !anonymous {
		rt, err = htransport.NewTransport(ctx, rt, option.WithScopes(storage.DevstorageReadWriteScope))
		if err != nil {
			return nil, fmt.Errorf("there are no credentials: run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS: %w", err)
		}
	}
	options := []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: rt, CheckRedirect: driver.SameSite})}
	if endpoint != "" {
		options = append(options, option.WithEndpoint(strings.TrimSuffix(endpoint, "/")+"/storage/v1/"))
	}
	api, err := storage.NewService(ctx, options...)
	if err != nil {
		return nil, err
	}
	return &bucket{name: u.Host, api: api, connections: connections}, nil
}

func (b *bucket) Traits() driver.Traits {
	return driver.Traits{Name: "Google Cloud Storage", KeyLimit: 1024}
}

func (b *bucket) Close() error {
	b.connections.CloseIdleConnections()
	return nil
}

func (b *bucket) Reachable(ctx context.Context) error {
	_, err := b.api.Objects.List(b.name).MaxResults(1).Context(ctx).Do()
	if statusOf(err) == http.StatusNotFound {
		return fmt.Errorf("there is no bucket %s on Google Cloud Storage: %w", b.name, err)
	}
	return b.translate(err, "storage.objects.list")
}

func (b *bucket) Check(key string) error {
	if key == "." || key == ".." || strings.ContainsAny(key, "\r\n") {
		return pipeline.Permanent(fmt.Errorf("no object on Google Cloud Storage has a key like %q", key))
	}
	return nil
}

func (b *bucket) Stat(ctx context.Context, key string) (driver.State, error) {
	o, err := b.object(ctx, key, 0)
	if err != nil {
		return driver.State{}, b.whatIsGone(ctx, err)
	}
	return stateOf(o), nil
}

// object returns what the store says about a generation of an object; 0: the live one.
func (b *bucket) object(ctx context.Context, key string, generation int64) (*storage.Object, error) {
	call := b.api.Objects.Get(b.name, key).Context(ctx)
	if generation != 0 {
		call.Generation(generation)
	}
	o, err := call.Do()
	if err != nil {
		return nil, b.translate(err, "storage.objects.get")
	}
	o.Metadata = driver.UnescapeMetadata(o.Metadata)
	return o, nil
}

// stateOf uses the generation as the version. It identifies versions even where the store keeps
// no old ones.
func stateOf(o *storage.Object) driver.State {
	return driver.State{ETag: driver.TrimETag(o.Etag), Size: int64(o.Size), VersionID: strconv.FormatInt(o.Generation, 10), Metadata: o.Metadata}
}

// Open implements driver.Bucket. It takes two requests: the answer with the content has no
// metadata, and not always the ETag that events have. Both requests are for one generation.
func (b *bucket) Open(ctx context.Context, o pipeline.Object, offset int64) (driver.Content, error) {
	var generation int64
	if id := o.VersionID; id != "" {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil || n <= 0 {
			return driver.Content{}, pipeline.Permanent(fmt.Errorf("no object has a generation like %q", id))
		}
		generation = n
	}
	found, err := b.object(ctx, o.Key, generation)
	if errors.Is(err, pipeline.ErrNotFound) {
		if generation != 0 {
			if _, live := b.object(ctx, o.Key, 0); live == nil {
				return driver.Content{}, fmt.Errorf("%w: generation %d was replaced (%w)", pipeline.ErrChanged, generation, err)
			}
		}
		return driver.Content{}, b.whatIsGone(ctx, err)
	}
	if err != nil {
		return driver.Content{}, err
	}
	c := driver.Content{State: stateOf(found), Claims: claimsOf(found), Range: func(ctx context.Context, first, _ int64) (io.ReadCloser, error) {
		body, err := b.media(ctx, o.Key, found.Generation, first)
		if errors.Is(err, pipeline.ErrNotFound) {
			return nil, fmt.Errorf("%w: it was replaced or deleted while it was read (%w)", pipeline.ErrChanged, err)
		}
		return body, err
	}}
	if offset < c.Size && c.Is(o) {
		c.Body, err = c.Range(ctx, offset, c.Size)
	}
	return c, err
}

// media asks for the content of a generation from a byte on.
func (b *bucket) media(ctx context.Context, key string, generation, offset int64) (io.ReadCloser, error) {
	call := b.api.Objects.Get(b.name, key).Generation(generation).Context(ctx)
	want := http.StatusOK
	if offset > 0 {
		call.Header().Set("Range", fmt.Sprintf("bytes=%d-", offset))
		want = http.StatusPartialContent
	}
	r, err := call.Download()
	if err != nil {
		return nil, b.translate(err, "storage.objects.get")
	}
	if r.StatusCode != want {
		_ = r.Body.Close() // other bytes were asked for
		return nil, fmt.Errorf("the store was asked for the bytes from %d on and answers with status %d", offset, r.StatusCode)
	}
	return r.Body, nil
}

// claimsOf returns the store's checksums. An object that was composed of others has no MD5.
func claimsOf(o *storage.Object) []pipeline.Claim {
	all := driver.MetadataClaims(o.Metadata)
	for _, c := range []struct{ name, algorithm, value string }{{"md5hash", "md5", o.Md5Hash}, {"crc32c", "crc32c", o.Crc32c}} {
		if c.value != "" {
			all = append(all, pipeline.Claim{Name: c.name, Claim: digest.Claim{Algorithm: c.algorithm, Value: c.value}})
		}
	}
	return all
}

// pageObjects is how many objects the store lists at most in one answer.
const pageObjects = 1000

func (b *bucket) List(ctx context.Context, l driver.Listing) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		call := b.api.Objects.List(b.name).Prefix(l.Prefix).Context(ctx)
		if l.Range.After != "" {
			call.StartOffset(l.Range.After)
		}
		if l.Want > 0 && l.Want < pageObjects {
			call.MaxResults(int64(l.Want) + 1) // StartOffset is inclusive
		}
		for token := ""; ; call.MaxResults(pageObjects) {
			page, err := call.PageToken(token).Do()
			if err != nil {
				yield(driver.Entry{}, plainly(b.translate(err, "storage.objects.list"), err))
				return
			}
			for _, o := range page.Items {
				if l.Skip != nil && l.Skip(o.Name) {
					continue
				}
				o.Metadata = driver.UnescapeMetadata(o.Metadata)
				e := driver.Entry{Key: o.Name, State: stateOf(o), Claims: claimsOf(o)}
				e.Modified, _ = time.Parse(time.RFC3339, o.Updated) // zero if the store does not say
				if o.StorageClass != "STANDARD" {
					e.Class = o.StorageClass
				}
				if !yield(e, nil) {
					return
				}
			}
			if token = page.NextPageToken; token == "" {
				return
			}
		}
	}
}

// statusOf returns the status of an answer that is an error; 0 for any other error.
func statusOf(err error) int {
	var e *googleapi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// translate turns an error into one of the pipeline's classes, and says which permission is
// missing.
func (b *bucket) translate(err error, permission string) error {
	switch statusOf(err) {
	case http.StatusNotFound:
		return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, err)
	case http.StatusPreconditionFailed:
		return fmt.Errorf("%w (%w)", pipeline.ErrChanged, err)
	case http.StatusUnauthorized:
		return fmt.Errorf("access to bucket %s is denied; it takes %s: %w", b.name, permission, err)
	case http.StatusForbidden:
		return driver.Denied(fmt.Errorf("access to bucket %s is denied; it takes %s: %w", b.name, permission, err))
	}
	return err
}

// plainly returns cause instead of an ErrNotFound that means the bucket: a bucket that is gone
// supersedes nothing.
func plainly(err, cause error) error {
	if errors.Is(err, pipeline.ErrNotFound) {
		return cause
	}
	return err
}

// whatIsGone finds out whether the object or the bucket is gone, when the answer to a request
// is "not found".
func (b *bucket) whatIsGone(ctx context.Context, err error) error {
	if !errors.Is(err, pipeline.ErrNotFound) {
		return err
	}
	if gone := b.Reachable(ctx); statusOf(gone) == http.StatusNotFound {
		return gone
	}
	return err
}
