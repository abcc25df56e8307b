package s3_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// An answer without a code proves that an object is gone only if its bucket is there: a proxy gives that answer while
// the store is down. The record of the object would be removed.
func TestNotFoundByAProxy(t *testing.T) {
	for name, tc := range map[string]struct {
		bucket int // status of the answer to HEAD of the bucket
		gone   bool
	}{
		"bucket is there":   {http.StatusOK, true},
		"denied":            {http.StatusForbidden, true}, // s3:ListBucket is not needed
		"not known":         {http.StatusNotImplemented, true},
		"no bucket":         {http.StatusNotFound, false},
		"store is down":     {http.StatusBadGateway, false},
		"store is busy":     {http.StatusServiceUnavailable, false},
		"too many requests": {http.StatusTooManyRequests, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := awsenv.Server{URL: "http://127.0.0.1:1"}.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				if r.URL.Path == "/test" || r.URL.Path == "/test/" {
					w.WriteHeader(tc.bucket)
					return
				}
				w.WriteHeader(http.StatusNotFound)
				if strings.HasPrefix(r.URL.Path, "/test/page") && r.Method == http.MethodGet {
					_, _ = w.Write([]byte("<html><body><h1>404 Not Found</h1></body></html>"))
				}
			})
			store := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, blobstore.Config{})
			_, stat := store.Stat(t.Context(), drivertest.Object("a"))
			_, _, lookup := store.Bucket().Records.Lookup(t.Context(), drivertest.Object("a"))
			_, _, page := store.Bucket().Records.Lookup(t.Context(), drivertest.Object("page"))
			version := pipeline.Object{Bucket: "test", Key: "a", VersionID: "v1", Size: 5}
			_, open := store.Open(t.Context(), version)
			_, openAt := store.OpenAt(t.Context(), version, 3)
			version.Key = "page"
			_, openPage := store.Open(t.Context(), version)
			for what, err := range map[string]error{
				"Stat": stat, "Lookup": lookup, "Lookup with a page": page, "Open": open, "OpenAt": openAt, "Open with a page": openPage,
			} {
				if got := errors.Is(err, pipeline.ErrNotFound); got != tc.gone || pipeline.Classify(err) != pipeline.ClassTransient {
					t.Errorf("%s: got %v, not found: want %v", what, err, tc.gone)
				}
			}
		})
	}
}
