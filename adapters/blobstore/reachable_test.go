package blobstore_test

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// TestReachable kills the server of each technology, and removes the folder: a probe reports
// it. A bucket in memory can only be closed.
func TestReachable(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) (store *blobstore.Store, kill func()){
		"folder": func(t *testing.T) (*blobstore.Store, func()) {
			dir := filepath.Join(t.TempDir(), "inbox")
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			return drivertest.OpenFolder(t, dir, blobstore.Config{}), func() {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
		},
		"S3": func(t *testing.T) (*blobstore.Store, func()) {
			b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
			proxy, kill := behindProxy(t, b.Server)
			return b.Through(proxy).Open(t, blobstore.Config{}), kill
		},
		"GCS": func(t *testing.T) (*blobstore.Store, func()) {
			b := drivertest.MakeGCSBucket(t, awsenv.StartFakeGCS(t), false)
			proxy, kill := behindProxy(t, b.Server)
			return b.Through(proxy).Open(t, blobstore.Config{}), kill
		},
		"Azure": func(t *testing.T) (*blobstore.Store, func()) {
			b := drivertest.MakeContainer(t, awsenv.StartAzurite(t))
			proxy, kill := behindProxy(t, b.Server)
			return b.Through(proxy).Open(t, blobstore.Config{}), kill
		},
		"records on Azure": func(t *testing.T) (*blobstore.Store, func()) {
			b := drivertest.MakeContainer(t, awsenv.StartAzurite(t))
			proxy, kill := behindProxy(t, b.Server)
			return drivertest.OpenURL(t, "file://"+t.TempDir(), "inbox", blobstore.Config{Records: blobstore.RecordOptions{Bucket: b.Through(proxy).Address()}}), kill
		},
		"memory": func(t *testing.T) (*blobstore.Store, func()) {
			store, err := drivertest.Drivers.Open(t.Context(), "mem://", "memory", blobstore.Config{})
			if err != nil {
				t.Fatal(err)
			}
			return store, func() {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, kill := start(t)
			if err := store.Reachable(t.Context()); err != nil {
				t.Errorf("while it is there: %v", err)
			}
			kill()
			if err := store.Reachable(t.Context()); pipeline.Classify(err) != pipeline.ClassTransient {
				t.Errorf("once it is gone: got %v, want a transient error", err)
			}
		})
	}
}

// behindProxy returns a server behind a proxy, and what ends the proxy.
func behindProxy(t *testing.T, s awsenv.Server) (behind awsenv.Server, kill func()) {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(u))
	t.Cleanup(proxy.Close)
	s.URL = proxy.URL
	return s, proxy.Close
}
