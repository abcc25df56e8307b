package s3_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
)

// pour writes until the client has closed the connection, or until 64 MiB have gone out, and
// counts the bytes. Buffers on the way take some megabytes.
func pour(w http.ResponseWriter, sent *atomic.Int64) {
	block := bytes.Repeat([]byte("x"), 64<<10)
	for sent.Load() < 64<<20 {
		n, err := w.Write(block)
		sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// TestEndlessRecords: a store that sends a record or a checkpoint without end costs no memory.
func TestEndlessRecords(t *testing.T) {
	var sent atomic.Int64
	server := unreached.Before(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Length", "1099511627776")
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("X-Amz-Meta-Written-By", "bucketsum")
		pour(w, &sent)
	})
	b := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, blobstore.Config{}).Bucket()
	o := pipeline.Object{Bucket: "test", Key: "a", ETag: "e", Size: 7}
	if r, _, err := b.Records.Lookup(t.Context(), o); err == nil {
		t.Errorf("a record was found: %+v", r)
	}
	state, err := b.Checkpoints.Load(t.Context(), o)
	if err == nil && len(state) > 256<<10 {
		t.Errorf("a checkpoint of %d bytes was read", len(state))
	}
	if n := sent.Load(); n >= 64<<20 {
		t.Errorf("%d bytes were sent: the client did not stop", n)
	}
}

// TestRedirectedElsewhere: a store that redirects to a host of another site gets an error, and
// that host no request.
func TestRedirectedElsewhere(t *testing.T) {
	var elsewhere atomic.Bool
	other := unreached.Before(t, func(http.ResponseWriter, *http.Request, http.Handler) { elsewhere.Store(true) })
	server := unreached.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	store := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, blobstore.Config{})
	_, err := store.Open(t.Context(), pipeline.Object{Bucket: "test", Key: "a", Size: pipeline.UnknownSize})
	if err == nil || strings.TrimSpace(err.Error()) == "" || pipeline.Classify(err) == pipeline.ClassSuperseded {
		t.Errorf("got %v (%s)", err, pipeline.Classify(err))
	}
	if elsewhere.Load() {
		t.Error("the other host was asked")
	}
}
