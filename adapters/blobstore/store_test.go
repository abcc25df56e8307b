package blobstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gcs "google.golang.org/api/storage/v1"

	"gocloud.dev/blob/memblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestMain(m *testing.M) { drivertest.Main(m) }

func TestOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b#c?d")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir))
	drivertest.WriteFile(t, filepath.Join(dir, "a"), "content")
	escaped := (&url.URL{Path: filepath.ToSlash(dir)}).EscapedPath()
	for _, ok := range []string{"file://" + escaped, "file://" + escaped + "/", "file://./a%20b%23c%3Fd", "mem://"} {
		store, err := drivertest.Drivers.Open(t.Context(), ok, "inbox", blobstore.Config{})
		if err != nil {
			t.Errorf("%s: %v", ok, err)
			continue
		}
		if _, err := store.Stat(t.Context(), pipeline.Object{Key: "a"}); ok != "mem://" && err != nil {
			t.Errorf("%s: %v", ok, err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	for raw, says := range map[string]string{
		"file://host/dir":          "three slashes",
		"file:///dir?metadata=x":   "no parameters",
		"file:///dir#fragment":     "%23",
		"file://":                  "names no folder",
		"file:///no/such/folder":   "no such file",
		"file://" + escaped + "/a": "not a directory",
		"nosuch://x":               "valid are",
		"nosuch://bucket":          "azblob, ",
		"mem://x?bad=1":            "open bucket inbox",
		":":                        "bucket URL",
	} {
		if _, err := drivertest.Drivers.Open(t.Context(), raw, "inbox", blobstore.Config{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error that says %q", raw, err, says)
		}
	}
}

func TestNameOf(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "here")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for raw, want := range map[string]string{
		"s3://photos?region=eu-west-1": "photos",
		"file:///srv/in%20box":         "in box",
		"file:///srv/inbox/":           "inbox",
		"file://./sub":                 "sub",
		"file://.":                     "here",
		"file://other/sub":             "other",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := drivertest.Drivers.NameOf(u); got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}

// A bucket that is closed must not look like an object that is gone.
func TestClosedBucket(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	store := blobstore.New(memory.New(bucket), "memory", blobstore.Config{})
	if err := bucket.Close(); err != nil {
		t.Fatal(err)
	}
	o := pipeline.Object{Bucket: "memory", Key: "a", ETag: "e"}
	b := store.Bucket()
	_, statErr := b.Source.Stat(t.Context(), o)
	_, openErr := b.Source.Open(t.Context(), o)
	_, _, lookupErr := b.Records.Lookup(t.Context(), o)
	_, removeErr := pipelinetest.Remove(t.Context(), b.Records, o)
	for name, err := range map[string]error{
		"Stat": statErr, "Open": openErr, "Lookup": lookupErr, "Remove": removeErr,
		"Save": pipelinetest.Save(t.Context(), b.Records, drivertest.Record(o)),
	} {
		if pipeline.Classify(err) != pipeline.ClassTransient {
			t.Errorf("%s: got %v, want a transient error", name, err)
		}
	}
	for o, err := range store.List(t.Context()) {
		if err == nil {
			t.Errorf("List: got %v, want an error", o)
		}
	}
}

func TestMarkersOfFolders(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	store := blobstore.New(memory.New(bucket), "memory", blobstore.Config{})
	defer store.Close()
	if err := bucket.WriteAll(t.Context(), "folder/", nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), pipeline.Object{Key: "folder/"}); !errors.Is(err, pipeline.ErrFiltered) {
		t.Errorf("got %v, want ErrFiltered", err)
	}
}

func TestListObjects(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	store := blobstore.New(memory.New(bucket), "memory", blobstore.Config{})
	defer store.Close()
	put := func(key string) {
		t.Helper()
		if err := bucket.WriteAll(t.Context(), key, []byte(path.Base(key)), nil); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for _, key := range drivertest.ManyKeys() {
		put(key)
		put(key + ".md5")
		want = append(want, key)
	}
	slices.Sort(want)
	var got []string
	for o, err := range store.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if now, err := store.Stat(t.Context(), o); err != nil || now != o || o.Bucket != "memory" {
			t.Fatalf("listed %+v, Stat: %+v, %v", o, now, err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %d objects, want %d, in order", len(got), len(want))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for o, err := range store.List(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, %v after the end of the context", o, err)
		}
	}
}

// Records may be on another technology than their objects.
func TestRecordsOnAnotherTechnology(t *testing.T) {
	b, records := drivertest.MakeGCSBucket(t, awsenv.StartFakeGCS(t), false), drivertest.MakeContainer(t, awsenv.StartAzurite(t))
	store := b.Open(t, blobstore.Config{Records: blobstore.RecordOptions{Bucket: records.Address()}})
	o := b.Put(t, &gcs.Object{Name: "dir/a"}, "content")
	r, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Error(err)
	}
	if err := errors.Join(r.Close(), store.Check(t.Context()), pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.Record(o))); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(records.Keys(t)), fmt.Sprintf("[%s/dir/a.md5]", b.Name); got != want {
		t.Errorf("the container holds %s, want %s", got, want)
	}
	if keys := b.Keys(t); len(keys) != 1 {
		t.Errorf("the bucket holds %q", keys)
	}
}
