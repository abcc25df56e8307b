package blobstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	gcs "google.golang.org/api/storage/v1"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// gcsBucket is a bucket on a test server as its users have it.
type gcsBucket struct {
	awsenv.Server
	name string
	api  *gcs.Service
}

func makeGCSBucket(t testing.TB, server awsenv.Server, versioned bool) gcsBucket {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	api, err := gcs.NewService(t.Context(), option.WithHTTPClient(&http.Client{Transport: transport}), option.WithEndpoint(server.URL+"/storage/v1/"))
	if err != nil {
		t.Fatal(err)
	}
	b := gcsBucket{server, "test-" + strings.ToLower(rand.Text()), api}
	bucket := &gcs.Bucket{Name: b.name, Versioning: &gcs.BucketVersioning{Enabled: versioned}}
	if _, err := api.Buckets.Insert("test", bucket).Do(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b gcsBucket) url() string { return "gs://" + b.name + "?anonymous=true&endpoint=" + b.URL }

// put stores an object and returns it as an event would name it.
func (b gcsBucket) put(t testing.TB, o *gcs.Object, content string) pipeline.Object {
	t.Helper()
	o, err := b.api.Objects.Insert(b.name, o).Media(strings.NewReader(content), googleapi.ChunkSize(0)).Do()
	if err != nil {
		t.Fatalf("put: %v", err)
	}
	return pipeline.Object{Bucket: b.name, Key: o.Name, ETag: strings.Trim(o.Etag, `"`), Size: int64(o.Size), VersionID: strconv.FormatInt(o.Generation, 10)}
}

func (b gcsBucket) get(t *testing.T, key string) (string, bool) {
	t.Helper()
	r, err := b.api.Objects.Get(b.name, key).Context(context.WithoutCancel(t.Context())).Download()
	if e, ok := errors.AsType[*googleapi.Error](err); ok && e.Code == http.StatusNotFound {
		return "", false
	}
	if err != nil {
		t.Errorf("get %q: %v", key, err)
		return "", false
	}
	defer r.Body.Close()
	content, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("get %q: %v", key, err)
	}
	return string(content), true
}

func (b gcsBucket) delete(t *testing.T, key string) {
	t.Helper()
	if err := b.api.Objects.Delete(b.name, key).Do(); err != nil {
		t.Errorf("delete %q: %v", key, err)
	}
}

// erase deletes all generations of a key.
func (b gcsBucket) erase(t *testing.T, key string) {
	t.Helper()
	err := b.api.Objects.List(b.name).Versions(true).Prefix(key).Pages(t.Context(), func(page *gcs.Objects) error {
		for _, o := range page.Items {
			if o.Name != key {
				continue
			}
			if err := b.api.Objects.Delete(b.name, key).Generation(o.Generation).Do(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("erase %q: %v", key, err)
	}
}

func (b gcsBucket) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	err := b.api.Objects.List(b.name).Pages(t.Context(), func(page *gcs.Objects) error {
		for _, o := range page.Items {
			keys = append(keys, o.Name)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return keys
}

// through returns the bucket as seen through another server, such as a proxy.
func (b gcsBucket) through(s awsenv.Server) gcsBucket {
	b.Server = s
	return b
}

func (b gcsBucket) open(t testing.TB, c blobstore.Config) *blobstore.Store {
	t.Helper()
	return openURL(t, b.url(), b.name, c)
}

// openURL opens a bucket as the pipeline does.
func openURL(t testing.TB, url, name string, c blobstore.Config) *blobstore.Store {
	t.Helper()
	store, err := drivers.Open(t.Context(), url, name, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func (b gcsBucket) harness(layout blobstore.Layout) pipelinetest.Store {
	return pipelinetest.Store{
		Name:  b.name,
		Holds: func(key string) bool { return !strings.ContainsAny(key, "\r\n") },
		Open: func(t *testing.T, algorithms ...string) pipeline.Bucket {
			return b.open(t, blobstore.Config{Layout: layout, Algorithms: algorithms}).Bucket()
		},
		RecordKey: layout.RecordKey,
		Put:       func(t *testing.T, key, content string) { b.put(t, &gcs.Object{Name: key}, content) },
		Get:       b.get,
		Delete:    b.delete,
		Keys:      b.keys,
	}
}

func TestStoreOnGCS(t *testing.T) {
	server := awsenv.StartFakeGCS(t)
	t.Run("by generation", func(t *testing.T) {
		pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
			return makeGCSBucket(t, server, false).harness(blobstore.Layout{})
		})
	})
	t.Run("with old generations", func(t *testing.T) {
		pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
			b := makeGCSBucket(t, server, true)
			h := b.harness(mustLayout(t, "{dir}/.sums/{base}.{alg}"))
			h.Versions = true
			h.Delete = b.erase
			return h
		})
	})
}
