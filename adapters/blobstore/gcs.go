package blobstore

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
	"unicode/utf8"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	gcs "google.golang.org/api/storage/v1"
	htransport "google.golang.org/api/transport/http"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

const (
	gcsScheme   = "gs"
	gcsKeyLimit = 1024 // bytes
)

// gcsBucket is a bucket on Google Cloud Storage, by its JSON API. gocloud's driver
// for it would link the SDK with gRPC and xDS, which makes the program 7 MB larger, and
// takes a denied access for an object that is gone.
type gcsBucket struct {
	name  string
	api   *gcs.Service
	locks keyLocks
}

var (
	_ contents       = (*gcsBucket)(nil)
	_ offsetContents = (*gcsBucket)(nil)
	_ sidecars       = (*gcsBucket)(nil)
	_ blobs          = (*gcsBucket)(nil)
)

// openGCS opens gs://NAME with the application default credentials. It sends no
// request to the store. Parameters: anonymous=true for public buckets, and with it endpoint=URL
// for another server. Like Google's own libraries it heeds STORAGE_EMULATOR_HOST,
// and then needs no credentials.
func openGCS(ctx context.Context, u *url.URL, name string, c Config) (*Store, error) {
	if u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.Fragment != "" {
		return nil, fmt.Errorf("bucket URL %q: a bucket on Google Cloud Storage is gs://NAME, with parameters and nothing else", u.Redacted())
	}
	query := u.Query()
	anonymous, err := strconv.ParseBool(cmp.Or(query.Get("anonymous"), "false"))
	if err != nil {
		return nil, fmt.Errorf("bucket URL %q: anonymous is true or false", u.Redacted())
	}
	for parameter := range query {
		if parameter != "anonymous" && parameter != "endpoint" {
			return nil, fmt.Errorf("bucket URL %q: unknown parameter %q; valid are anonymous, endpoint", u.Redacted(), parameter)
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
		return nil, fmt.Errorf("bucket URL %q: endpoint takes anonymous=true, as credentials are sent to Google only", u.Redacted())
	}
	connections := cloudTransport()
	var transport http.RoundTripper = gcsTransport{connections}
	if !anonymous {
		transport, err = htransport.NewTransport(ctx, transport, option.WithScopes(gcs.DevstorageReadWriteScope))
		if err != nil {
			return nil, fmt.Errorf("open bucket %s: %w", name, err)
		}
	}
	options := []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: transport})}
	if endpoint != "" {
		options = append(options, option.WithEndpoint(strings.TrimSuffix(endpoint, "/")+"/storage/v1/"))
	}
	api, err := gcs.NewService(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	b := &gcsBucket{name: u.Host, api: api}
	return &Store{name: name, contents: b, records: newRecords(c, b), close: func() error {
		connections.CloseIdleConnections()
		return nil
	}}, nil
}

// reachable implements Store.Check.
func (b *gcsBucket) reachable(ctx context.Context) error {
	_, err := b.api.Objects.List(b.name).MaxResults(1).Context(ctx).Do()
	if gcsStatus(err) == http.StatusNotFound {
		return fmt.Errorf("there is no such bucket on Google Cloud Storage: %w", err)
	}
	return b.translate(err, "storage.objects.list")
}

func (b *gcsBucket) check(key string) error {
	switch {
	case key == "":
		return pipeline.Permanent(errors.New("an object's key cannot be empty"))
	case !utf8.ValidString(key):
		return pipeline.Permanent(fmt.Errorf("the key %q is not UTF-8", key))
	case len(key) > gcsKeyLimit:
		return pipeline.Permanent(fmt.Errorf("the key has %d bytes; Google Cloud Storage has none of more than %d", len(key), gcsKeyLimit))
	case key == ".", key == "..", strings.ContainsAny(key, "\r\n"):
		return pipeline.Permanent(fmt.Errorf("no object on Google Cloud Storage has a key like %q", key))
	}
	return nil
}

func (b *gcsBucket) stat(ctx context.Context, key string) (state, error) {
	o, err := b.object(ctx, key, 0)
	if err != nil {
		return state{}, b.whatIsGone(ctx, err)
	}
	if err := (&sidecar{metadata: o.Metadata}).isOwnRecord(key); err != nil {
		return gcsState(o), err
	}
	return gcsState(o), isFolder(key, int64(o.Size))
}

// object returns what the store tells of a generation of an object; 0: of the live one.
func (b *gcsBucket) object(ctx context.Context, key string, generation int64) (*gcs.Object, error) {
	call := b.api.Objects.Get(b.name, key).Context(ctx)
	if generation != 0 {
		call.Generation(generation)
	}
	o, err := call.Do()
	if err != nil {
		return nil, b.translate(err, "storage.objects.get")
	}
	o.Metadata = unescapeMetadata(o.Metadata)
	return o, nil
}

// gcsState has the generation as the version: also where the store keeps no old ones, it
// tells them apart.
func gcsState(o *gcs.Object) state {
	return state{trimETag(o.Etag), int64(o.Size), strconv.FormatInt(o.Generation, 10)}
}

func (b *gcsBucket) open(ctx context.Context, o pipeline.Object) (content, state, error) {
	return b.openAt(ctx, o, 0)
}

// openAt takes two requests: the answer with the content has neither metadata nor,
// for sure, the ETag that events have. Both ask for one generation.
func (b *gcsBucket) openAt(ctx context.Context, o pipeline.Object, offset int64) (content, state, error) {
	var generation int64
	if id := o.VersionID; id != "" {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil || n <= 0 {
			return nil, state{}, pipeline.Permanent(fmt.Errorf("no object has a generation like %q", id))
		}
		generation = n
	}
	found, err := b.object(ctx, o.Key, generation)
	if errors.Is(err, pipeline.ErrNotFound) {
		if generation != 0 {
			if _, live := b.object(ctx, o.Key, 0); live == nil {
				return nil, state{}, fmt.Errorf("%w: generation %d was replaced (%w)", pipeline.ErrChanged, generation, err)
			}
		}
		return nil, state{}, b.whatIsGone(ctx, err)
	}
	if err != nil {
		return nil, state{}, err
	}
	now := gcsState(found)
	if err := cmp.Or((&sidecar{metadata: found.Metadata}).isOwnRecord(o.Key), isFolder(o.Key, now.size)); err != nil {
		return nil, state{}, err
	}
	if offset > now.size || !now.is(o) {
		return nil, state{}, fmt.Errorf("%w: it has ETag %s and %d bytes", pipeline.ErrChanged, now.etag, now.size)
	}
	c := &pinned{ctx: ctx, size: now.size, offset: offset, claimed: gcsClaims(found), from: func(ctx context.Context, at int64) (io.ReadCloser, error) {
		body, err := b.media(ctx, o.Key, found.Generation, at)
		if errors.Is(err, pipeline.ErrNotFound) {
			return nil, fmt.Errorf("%w: it was replaced or deleted while it was read (%w)", pipeline.ErrChanged, err)
		}
		return body, err
	}}
	if err := c.begin(); err != nil {
		return nil, state{}, err
	}
	return c, now, nil
}

// media asks for the content of a generation from a byte on.
func (b *gcsBucket) media(ctx context.Context, key string, generation, offset int64) (io.ReadCloser, error) {
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
		_ = r.Body.Close() // it is not what was asked for
		return nil, fmt.Errorf("the store was asked for the bytes from %d on and answers with status %d", offset, r.StatusCode)
	}
	return r.Body, nil
}

// gcsClaims: what was composed of other objects has no MD5.
func gcsClaims(o *gcs.Object) []pipeline.Claim {
	all := metadataClaims(o.Metadata)
	for _, c := range []struct{ name, algorithm, value string }{{"md5hash", "md5", o.Md5Hash}, {"crc32c", "crc32c", o.Crc32c}} {
		if c.value != "" {
			all = append(all, pipeline.Claim{Name: c.name, Claim: digest.Claim{Algorithm: c.algorithm, Value: c.value}})
		}
	}
	return all
}

func (b *gcsBucket) list(ctx context.Context, skip func(string) bool, _ bool) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		for entry, err := range b.entries(ctx, "") {
			if err != nil {
				yield(pipeline.Object{}, err)
				return
			}
			if skip(entry.Name) || (&sidecar{metadata: unescapeMetadata(entry.Metadata)}).isOwnRecord(entry.Name) != nil {
				continue
			}
			o := gcsState(entry).of(pipeline.Object{Key: entry.Name})
			if !yield(o, cmp.Or(b.check(o.Key), isFolder(o.Key, o.Size))) {
				return
			}
		}
	}
}

func (b *gcsBucket) keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for entry, err := range b.entries(ctx, prefix) {
			if err != nil {
				yield(prefix, err)
				return
			}
			if isFolder(entry.Name, int64(entry.Size)) == nil && !yield(entry.Name, nil) {
				return
			}
		}
	}
}

// entries returns what the store lists, in the order of keys, until an error.
func (b *gcsBucket) entries(ctx context.Context, prefix string) iter.Seq2[*gcs.Object, error] {
	return func(yield func(*gcs.Object, error) bool) {
		for token := ""; ; {
			page, err := b.api.Objects.List(b.name).Prefix(prefix).PageToken(token).Context(ctx).Do()
			if err != nil {
				yield(nil, plainly(b.translate(err, "storage.objects.list"), err))
				return
			}
			for _, entry := range page.Items {
				if !yield(entry, nil) {
					return
				}
			}
			if token = page.NextPageToken; token == "" {
				return
			}
		}
	}
}

// gcsStatus returns the status of an answer that is an error; 0 if there was none.
func gcsStatus(err error) int {
	var e *googleapi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// translate turns an error into one of the pipeline's classes, and says which
// permission is missing.
func (b *gcsBucket) translate(err error, permission string) error {
	switch gcsStatus(err) {
	case http.StatusNotFound:
		return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, err)
	case http.StatusPreconditionFailed:
		return fmt.Errorf("%w (%w)", pipeline.ErrChanged, err)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("access to bucket %s is denied; it takes %s: %w", b.name, permission, err)
	}
	return err
}

// plainly returns cause, which has no class, where err is superseded by a fault
// that nothing supersedes.
func plainly(err, cause error) error {
	if errors.Is(err, pipeline.ErrNotFound) {
		return cause
	}
	return err
}

// whatIsGone finds out whether it is the object or the bucket, when the answer to
// a request is that something is not found.
func (b *gcsBucket) whatIsGone(ctx context.Context, err error) error {
	if !errors.Is(err, pipeline.ErrNotFound) {
		return err
	}
	_, listed := b.api.Objects.List(b.name).MaxResults(1).Context(ctx).Do()
	if gcsStatus(listed) == http.StatusNotFound {
		return fmt.Errorf("there is no bucket %s on Google Cloud Storage: %w", b.name, listed)
	}
	return err
}
