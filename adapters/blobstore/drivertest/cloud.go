package drivertest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// Cloud is a bucket of a store that gives each write a version of its own, as users and as the
// pipeline see it.
type Cloud struct {
	Put func(key, content string) pipeline.Object
	// Through opens the bucket behind a proxy.
	Through func(handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) *blobstore.Store
	// Missing opens a bucket that does not exist.
	Missing func() *blobstore.Store
}

// TestCloud runs the tests of reading, listing and errors that these stores share, each on a
// bucket of its own.
func TestCloud(t *testing.T, make func(t *testing.T) Cloud) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, c Cloud)
	}{
		{"BodiesThatBreakOff", testCloudBodiesThatBreakOff},
		{"ObjectsReplacedWhileRead", testCloudObjectsReplacedWhileRead},
		{"IsBusy", testCloudIsBusy},
		{"BodyThatNeverGetsOn", testCloudBodyThatNeverGetsOn},
		{"AccessDenied", testCloudAccessDenied},
		{"BucketIsMissing", testCloudBucketIsMissing},
		{"Listing", testCloudListing},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, make(t)) })
	}
}

// asksForContent distinguishes requests for content from those for metadata.
func asksForContent(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Query().Get("alt") != "json" && !r.URL.Query().Has("comp")
}

// A body that breaks off is resumed at the byte where it stopped.
func testCloudBodiesThatBreakOff(t *testing.T, c Cloud) {
	content := make([]byte, 1<<20)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	o := c.Put("a", string(content))
	cut := Cutter{Left: []int64{1, 1000, 1, 500_000}}
	store := c.Through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if asksForContent(r) {
			cut.Serve(w, r, next)
		} else {
			next.ServeHTTP(w, r)
		}
	})
	MustRead(t, store, o, string(content))
	if len(cut.Left) != 0 || cut.Sent.Load() != 1<<20 {
		t.Errorf("%d cuts did not happen, %d bytes were sent", len(cut.Left), cut.Sent.Load())
	}
}

// If an object is replaced or deleted after its body broke off, the rest is not read.
func testCloudObjectsReplacedWhileRead(t *testing.T, c Cloud) {
	o := c.Put("a", strings.Repeat("x", 1<<16))
	cut := Cutter{Left: []int64{1000}}
	asked := 0
	store := c.Through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !asksForContent(r) {
			next.ServeHTTP(w, r)
			return
		}
		if asked++; asked == 2 {
			c.Put("a", strings.Repeat("y", 1<<16))
		}
		cut.Serve(w, r, next)
	})
	got, _, err := ReadObject(t, store, o)
	IsA(t, err, pipeline.ErrChanged)
	if strings.Contains(got, "y") {
		t.Error("it is a mixture")
	}
}

// A store that is busy is asked again.
func testCloudIsBusy(t *testing.T, c Cloud) {
	o := c.Put("a", "content")
	var mu sync.Mutex
	refused := make(map[string]bool)
	store := c.Through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		again := refused[r.Method+r.URL.String()]
		refused[r.Method+r.URL.String()] = true
		mu.Unlock()
		if !again && r.Method == http.MethodGet {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	MustRead(t, store, o, "content")
	if len(refused) == 0 {
		t.Error("nothing was refused")
	}
}

// A body that never continues is given up; the error says how far it came.
func testCloudBodyThatNeverGetsOn(t *testing.T, c Cloud) {
	if testing.Short() {
		t.Skip("it waits for seconds between its attempts")
	}
	o := c.Put("a", strings.Repeat("x", 5000))
	cut := Cutter{Left: []int64{1000}}
	store := c.Through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if asksForContent(r) && r.Header.Get("Range") != "" && r.Header.Get("Range") != "bytes=0-" || r.Header.Get("X-Ms-Range") != "" {
			w.WriteHeader(http.StatusPartialContent)
			panic(http.ErrAbortHandler)
		}
		if asksForContent(r) {
			cut.Serve(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
	_, _, err := ReadObject(t, store, o)
	if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(fmt.Sprint(err), "broke off at byte 1000 of 5000") {
		t.Errorf("got %v", err)
	}
}

// An object must not look gone when access is denied.
func testCloudAccessDenied(t *testing.T, c Cloud) {
	o := c.Put("a", "content")
	store := c.Through(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusForbidden) })
	_, openErr := store.Open(t.Context(), o)
	_, statErr := store.Stat(t.Context(), o)
	_, _, lookupErr := store.Bucket().Records.Lookup(t.Context(), o)
	saveErr := pipelinetest.Save(t.Context(), store.Bucket().Records, Record(o))
	for what, err := range map[string]error{
		"open": openErr, "stat": statErr, "lookup": lookupErr, "save": saveErr, "check": store.Check(t.Context()),
	} {
		if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(fmt.Sprint(err), "is denied; it takes") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	// Where checkpoints are never allowed, no worker must wait without limit.
	if _, err := store.Bucket().Checkpoints.Load(t.Context(), o); pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Errorf("checkpoint: got %v", err)
	}
}

// A bucket that is gone supersedes nothing.
func testCloudBucketIsMissing(t *testing.T, c Cloud) {
	store := c.Missing()
	o := pipeline.Object{Bucket: "b", Key: "a", ETag: "e"}
	_, openErr := store.Open(t.Context(), o)
	_, statErr := store.Stat(t.Context(), o)
	var listErr error
	for _, err := range store.List(t.Context()) {
		listErr = err
	}
	for what, err := range map[string]error{
		"open": openErr, "stat": statErr, "save": pipelinetest.Save(t.Context(), store.Bucket().Records, Record(o)), "list": listErr, "check": store.Check(t.Context()),
	} {
		if pipeline.Classify(err) != pipeline.ClassTransient || err == nil {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if err := store.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "no ") {
		t.Errorf("check: got %v", err)
	}
}

func testCloudListing(t *testing.T, c Cloud) {
	store := c.Through(func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) })
	want := []pipeline.Object{c.Put("a", "content"), c.Put("dir/b c", ""), c.Put("dir/ü", "x")}
	for _, o := range want {
		if err := pipelinetest.Save(t.Context(), store.Bucket().Records, Record(o)); err != nil {
			t.Fatal(err)
		}
	}
	c.Put("folder/", "")
	var got []pipeline.Object
	for o, err := range store.List(t.Context()) {
		if o.Key == "folder/" {
			IsA(t, err, pipeline.ErrFiltered)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, o)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
