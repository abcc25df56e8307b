package blobstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/pipeline"
)

// A store that keeps the connection and sends nothing more is treated like one that breaks it
// off.
func TestStalledBody(t *testing.T) {
	const content = "content"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e"`)
		if r.Header.Get("Range") == "bytes=3-" {
			w.Header().Set("Content-Range", "bytes 3-6/7")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, content[3:])
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = io.WriteString(w, content[:3])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // until the client gives up
	}))
	defer server.Close()
	store, err := Drivers{s3.Driver(s3.Options{})}.Open(t.Context(), "s3://test?region=us-east-1&use_path_style=true&endpoint="+server.URL, "test", Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	store.reading.stall = 500 * time.Millisecond
	r, err := store.Open(t.Context(), pipeline.Object{Bucket: "test", Key: "a", ETag: "e", Size: pipeline.UnknownSize})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close(), r.Close()); err != nil || string(got) != content {
		t.Errorf("got %q, %v", got, err)
	}
}

// If the store never sends anything more, the error says so.
func TestStalledBodyIsGivenUp(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Content-Length", "7")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	store, err := Drivers{s3.Driver(s3.Options{})}.Open(t.Context(), "s3://test?region=us-east-1&use_path_style=true&endpoint="+server.URL, "test", Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	store.reading.stall = 100 * time.Millisecond
	r, err := store.Open(t.Context(), pipeline.Object{Bucket: "test", Key: "a", ETag: "e", Size: pipeline.UnknownSize})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, errStalled) || pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A store that ignores If-Match cannot deliver another content under the name of the first,
// even if no byte of the first came.
func TestReplacedBeforeTheFirstByte(t *testing.T) {
	answers := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers++
		w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprint("e", answers)))
		w.Header().Set("Content-Length", "7")
		if answers == 1 {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "another")
	}))
	defer server.Close()
	store, err := Drivers{s3.Driver(s3.Options{})}.Open(t.Context(), "s3://test?region=us-east-1&use_path_style=true&endpoint="+server.URL, "test", Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	r, err := store.Open(t.Context(), pipeline.Object{Bucket: "test", Key: "a", ETag: "e1", Size: pipeline.UnknownSize})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if content, err := io.ReadAll(r); !errors.Is(err, pipeline.ErrChanged) || len(content) != 0 {
		t.Errorf("got %q, %v", content, err)
	}
}
