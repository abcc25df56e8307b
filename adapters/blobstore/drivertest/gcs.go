package drivertest

import (
	"context"
	"crypto/rand"
	"errors"
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

// GCSBucket is a bucket on a test server, as its users see it.
type GCSBucket struct {
	awsenv.Server
	Name string
	API  *gcs.Service
}

func MakeGCSBucket(t testing.TB, server awsenv.Server, versioned bool) GCSBucket {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	api, err := gcs.NewService(t.Context(), option.WithHTTPClient(&http.Client{Transport: transport}), option.WithEndpoint(server.URL+"/storage/v1/"))
	if err != nil {
		t.Fatal(err)
	}
	b := GCSBucket{server, "test-" + strings.ToLower(rand.Text()), api}
	bucket := &gcs.Bucket{Name: b.Name, Versioning: &gcs.BucketVersioning{Enabled: versioned}}
	if _, err := api.Buckets.Insert("test", bucket).Do(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b GCSBucket) Address() string { return "gs://" + b.Name + "?anonymous=true&endpoint=" + b.URL }

// Put stores an object and returns it as an event names it.
func (b GCSBucket) Put(t testing.TB, o *gcs.Object, content string) pipeline.Object {
	t.Helper()
	o, err := b.API.Objects.Insert(b.Name, o).Media(strings.NewReader(content), googleapi.ChunkSize(0)).Do()
	if err != nil {
		t.Fatalf("put: %v", err)
	}
	return pipeline.Object{Bucket: b.Name, Key: o.Name, ETag: strings.Trim(o.Etag, `"`), Size: int64(o.Size), VersionID: strconv.FormatInt(o.Generation, 10)}
}

func (b GCSBucket) Get(t *testing.T, key string) (string, bool) {
	t.Helper()
	r, err := b.API.Objects.Get(b.Name, key).Context(context.WithoutCancel(t.Context())).Download()
	if e, ok := errors.AsType[*googleapi.Error](err); ok && e.Code == http.StatusNotFound {
		return "", false
	}
	if err != nil {
		t.Errorf("get %q: %v", key, err)
		return "", false
	}
	return readAll(t, key, r.Body), true
}

func (b GCSBucket) Delete(t *testing.T, key string) {
	t.Helper()
	if err := b.API.Objects.Delete(b.Name, key).Do(); err != nil {
		t.Errorf("delete %q: %v", key, err)
	}
}

// Erase deletes all generations of a key.
func (b GCSBucket) Erase(t *testing.T, key string) {
	t.Helper()
	err := b.API.Objects.List(b.Name).Versions(true).Prefix(key).Pages(t.Context(), func(page *gcs.Objects) error {
		for _, o := range page.Items {
			if o.Name != key {
				continue
			}
			if err := b.API.Objects.Delete(b.Name, key).Generation(o.Generation).Do(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("erase %q: %v", key, err)
	}
}

func (b GCSBucket) Keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	err := b.API.Objects.List(b.Name).Pages(t.Context(), func(page *gcs.Objects) error {
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

// Through returns the bucket behind another server, such as a proxy.
func (b GCSBucket) Through(s awsenv.Server) GCSBucket {
	b.Server = s
	return b
}

func (b GCSBucket) Open(t testing.TB, c blobstore.Config) *blobstore.Store {
	t.Helper()
	return OpenURL(t, b.Address(), b.Name, c)
}

func (b GCSBucket) Harness(layout blobstore.Layout) pipelinetest.Store {
	return pipelinetest.Store{
		RemovesAnything: true, // fake-gcs-server 1.56
		Name:            b.Name,
		Holds:           func(key string) bool { return !strings.ContainsAny(key, "\r\n") },
		Open: func(t *testing.T, algorithms ...string) pipeline.Bucket {
			return b.Open(t, blobstore.Config{Layout: layout, Algorithms: algorithms}).Bucket()
		},
		RecordKey: layout.RecordKey,
		Put:       func(t *testing.T, key, content string) { b.Put(t, &gcs.Object{Name: key}, content) },
		Get:       b.Get,
		Delete:    b.Delete,
		Keys:      b.Keys,
	}
}
