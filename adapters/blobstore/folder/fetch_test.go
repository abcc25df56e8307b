package folder_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// TestFileOfAnotherLength asserts that a file that gets longer or shorter while it is open
// has no checksum, whether it is read or fetched by the hash from the system's memory.
func TestFileOfAnotherLength(t *testing.T) {
	content := bytes.Repeat([]byte("content\n"), 50_000)
	for name, change := range map[string]func(path string) error{
		"truncated": func(path string) error { return os.Truncate(path, 300_001) },
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"appended to": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("more")
			return errors.Join(err, f.Close())
		},
	} {
		for _, fetches := range []bool{true, false} {
			dir := t.TempDir()
			path := filepath.Join(dir, "a")
			drivertest.WriteFile(t, path, string(content))
			r, err := drivertest.OpenFolder(t, dir, blobstore.Config{}).Open(t.Context(), drivertest.Object("a"))
			if err != nil {
				t.Fatal(err)
			}
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			d, err := digest.New("md5")
			if err != nil {
				t.Fatal(err)
			}
			content := io.Reader(r)
			if !fetches {
				content = struct{ io.Reader }{r}
			}
			if n, err := digest.Copy(t.Context(), d, content); !errors.Is(err, pipeline.ErrChanged) {
				t.Errorf("%s, fetches %v: got %d bytes, %v, want ErrChanged", name, fetches, n, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
