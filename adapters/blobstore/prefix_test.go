package blobstore_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func keysOf(t *testing.T, store *blobstore.Store, prefix string) []string {
	t.Helper()
	var keys []string
	for key, err := range store.Keys(t.Context(), prefix) {
		if err != nil {
			t.Errorf("%q: %v", key, err)
		}
		keys = append(keys, key)
	}
	return keys
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	makeTree(t, dir)
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	for _, key := range []string{"a", "b/c", "b/c.md5", "b/d e", "b-"} {
		b.Put(t, key, "content")
	}
	for name, store := range map[string]*blobstore.Store{
		"folder": drivertest.OpenFolder(t, dir, blobstore.Config{}),
		"S3":     b.Open(t, blobstore.Config{}),
	} {
		for prefix, want := range map[string][]string{
			"":   {"a", "b-", "b/c", "b/c.md5", "b/d e"},
			"b/": {"b/c", "b/c.md5", "b/d e"},
			"x/": nil,
		} {
			if got := keysOf(t, store, prefix); !slices.Equal(got, want) {
				t.Errorf("%s, %q: got %q, want %q", name, prefix, got, want)
			}
		}
	}
}

func makeTree(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b/c", "b/c.md5", "b/d e", "b-"} {
		drivertest.WriteFile(t, filepath.Join(dir, name), "content")
	}
}
