package folder_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/pipeline"
)

// FuzzKeys reads, writes and deletes by any key, through symbolic links that lead out of the
// folder: what is beside the folder is neither read nor changed.
func FuzzKeys(f *testing.F) {
	const secret = "not for you"
	parent := f.TempDir()
	dir, beside := filepath.Join(parent, "bucket"), filepath.Join(parent, "beside")
	for _, d := range []string{filepath.Join(dir, "sub"), beside} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			f.Fatal(err)
		}
	}
	for path, content := range map[string]string{filepath.Join(beside, "secret"): secret, filepath.Join(dir, "sub", "a"): "a"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	for link, target := range map[string]string{"out": "../beside", "abs": beside, "sub/up": "../..", "loop": "loop", "inner": "sub"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			f.Fatal(err)
		}
	}
	bucket, err := folder.Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { bucket.Close() })
	for _, key := range []string{"sub/a", "out/secret", "abs/secret", "../beside/secret", "sub/up/beside/secret", "sub/../out/secret", "loop", "inner/up/beside/secret", beside + "/secret",
		"a\x00", ".bucketsum/../out/secret", "out", "inner/a", "./sub/a", "sub//a", "sub/a/", ".."} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if len(key) > 200 {
			return
		}
		ctx := t.Context()
		_, _ = bucket.Stat(ctx, key) // most keys do not exist
		if c, err := bucket.Open(ctx, pipeline.Object{Key: key}, 0); err == nil && c.Body != nil {
			got, err := io.ReadAll(c.Body)
			if string(got) == secret || bucket.Check(key) == nil && err != nil {
				t.Errorf("%q reads %q, %v", key, got, err)
			}
			_ = c.Body.Close() // it was read
		}
		if b, err := bucket.Get(ctx, key, 1<<10); err == nil && string(b.Data) == secret {
			t.Errorf("%q reads a file beside the folder", key)
		}
		if err := bucket.Put(ctx, key, &driver.Blob{Data: []byte("x")}, driver.Condition{}); err == nil {
			if b, err := bucket.Get(ctx, key, 1<<10); err == nil {
				_ = bucket.Delete(ctx, key, driver.Condition{Old: b}) // keeps the folder small
			}
		}
		got, err := os.ReadFile(filepath.Join(beside, "secret"))
		if err != nil || string(got) != secret {
			t.Fatalf("after %q the file beside the folder is %q, %v", key, got, err)
		}
		for d, want := range map[string]int{parent: 2, beside: 1} {
			if entries, err := os.ReadDir(d); err != nil || len(entries) != want {
				t.Fatalf("after %q there is in %s: %v, %v", key, d, entries, err)
			}
		}
	})
}
