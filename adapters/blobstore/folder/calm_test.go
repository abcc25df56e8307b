package folder_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// TestRemovedFolderStaysRemoved expects that the record of an object makes neither the folder
// of the object again nor, for it, a folder elsewhere.
func TestRemovedFolderStaysRemoved(t *testing.T) {
	for _, template := range []string{blobstore.DefaultLayout, "{dir}/.sums/{base}.{alg}", "sums/{key}.{alg}"} {
		for _, watched := range []bool{false, true} {
			if template == "sums/{key}.{alg}" && !watched {
				continue // only the look after the write removes such a record
			}
			t.Run(fmt.Sprintf("%s watched %v", template, watched), func(t *testing.T) {
				dir := t.TempDir()
				var calm *folder.Calm
				if watched {
					calm = new(folder.Calm)
				}
				b := openCalm(t, dir, calm, blobstore.Config{Layout: drivertest.MustLayout(t, template)})
				err := pipelinetest.Save(t.Context(), b.Records, drivertest.SumOf("d/e/a", "e1", "01"))
				if !errors.Is(err, pipeline.ErrNotFound) {
					t.Errorf("got %v, want ErrNotFound", err)
				}
				if keys := drivertest.UserKeys(t, dir); len(keys) > 0 {
					t.Errorf("there are %q", keys)
				}
				for _, name := range []string{"d", "sums"} {
					if _, err := os.Lstat(filepath.Join(dir, name)); !os.IsNotExist(err) {
						t.Errorf("the folder %s: %v", name, err)
					}
				}
				if left := append(notes(t, dir), tempFiles(t, dir)...); len(left) > 0 {
					t.Errorf("left are %q", left)
				}
			})
		}
	}
}

func openCalm(t *testing.T, dir string, calm *folder.Calm, c blobstore.Config) pipeline.Bucket {
	t.Helper()
	bucket, err := folder.OpenCalm(dir, calm)
	if err != nil {
		t.Fatal(err)
	}
	store := blobstore.New(bucket, "inbox", c)
	t.Cleanup(func() { store.Close() })
	return store.Bucket()
}

// TestCalm expects that records are withdrawn and held back while users remove many files of a
// folder, and that few removals have no effect.
func TestCalm(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { testCalm(t, dir) })
}

func testCalm(t *testing.T, dir string) {
	for _, name := range []string{"d/a", "d/b", "d/e/c", "other/a"} {
		drivertest.WriteFile(t, filepath.Join(dir, name), name)
	}
	var calm folder.Calm
	b := openCalm(t, dir, &calm, blobstore.Config{})
	save := func(ctx context.Context, key string) error {
		return pipelinetest.Save(ctx, b.Records, drivertest.SumOf(key, "e1", "01"))
	}
	has := func(want bool, names ...string) {
		t.Helper()
		for _, name := range names {
			if _, err := os.Lstat(filepath.Join(dir, name)); (err == nil) != want {
				t.Errorf("%s: %v, want it there: %v", name, err, want)
			}
		}
	}
	for _, key := range []string{"d/a", "d/e/c", "other/a"} {
		if err := save(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	calm.Removed("d/f0")
	has(true, "d/a.md5", "d/e/c.md5", "other/a.md5")
	for i := range 10 {
		calm.Removed(fmt.Sprintf("d/f%d", i))
	}
	has(false, "d/a.md5")
	has(true, "d/e/c.md5", "other/a.md5")
	ended, end := context.WithCancel(t.Context())
	end()
	if err := save(ended, "d/b"); !errors.Is(err, context.Canceled) {
		t.Errorf("a record while files are removed: %v", err)
	}
	calm.Removed("d/e/f")
	has(false, "d/e/c.md5", "d/b.md5")
	has(true, "other/a.md5")
	for _, key := range []string{"d/a", "d/b", "d/e/c"} { // waits until it is calm
		if err := save(t.Context(), key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	has(true, "d/a.md5", "d/b.md5", "d/e/c.md5")
}
