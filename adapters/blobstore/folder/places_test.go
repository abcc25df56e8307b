package folder_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// A file of the user in the place of a record stays.
func TestRecordsPlaceIsTaken(t *testing.T) {
	for name, take := range map[string]func(name string) error{
		"folder":        func(name string) error { return os.Mkdir(name, 0o777) },
		"pipe":          func(name string) error { return syscall.Mkfifo(name, 0o666) },
		"dangling link": func(name string) error { return os.Symlink("nothing", name) },
		"link":          func(name string) error { return os.Symlink("his", name) },
		"link outwards": func(name string) error { return os.Symlink("/etc/passwd", name) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			records := drivertest.OpenFolder(t, dir, blobstore.Config{}).Bucket().Records
			r := drivertest.SumOf("a", "e1", "01")
			drivertest.WriteFile(t, filepath.Join(dir, "his"), drivertest.LineOf(r))
			sidecar := filepath.Join(dir, "a.md5")
			if err := take(sidecar); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(sidecar)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := records.Lookup(t.Context(), r.Source); !errors.Is(err, pipeline.ErrNotFound) {
				t.Errorf("Lookup: got %v, want ErrNotFound", err)
			}
			err = pipelinetest.Save(t.Context(), records, r)
			if pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), "did not write") {
				t.Errorf("Save: got %v, want a permanent error that says why", err)
			}
			if removed, err := pipelinetest.Remove(t.Context(), records, r.Source); removed || err != nil {
				t.Errorf("Remove: got %v, %v", removed, err)
			}
			if after, err := os.Lstat(sidecar); err != nil || !os.SameFile(before, after) {
				t.Errorf("it was replaced: %v", err)
			}
			if _, err := os.Lstat(filepath.Join(dir, "nothing")); err == nil {
				t.Error("the link was written through")
			}
		})
	}
}

// The folder for a record is a file.
func TestRecordsFolderIsTaken(t *testing.T) {
	layout := drivertest.MustLayout(t, "checksums/{key}.{alg}")
	r := drivertest.SumOf("dir/a", "e1", "01")
	for name, take := range map[string]func(name string) error{
		"file":          func(name string) error { return os.WriteFile(name, []byte("his"), 0o666) },
		"link outwards": func(name string) error { return os.Symlink(os.TempDir(), name) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			records := drivertest.OpenFolder(t, dir, blobstore.Config{Layout: layout}).Bucket().Records
			if err := take(filepath.Join(dir, "checksums")); err != nil {
				t.Fatal(err)
			}
			if err := pipelinetest.Save(t.Context(), records, r); pipeline.Classify(err) != pipeline.ClassPermanent {
				t.Errorf("got %v, want a permanent error", err)
			}
			if left := tempFiles(t, dir); len(left) != 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

func TestLongNames(t *testing.T) {
	dir := t.TempDir()
	key := "dir/" + strings.Repeat("n", 253)
	drivertest.WriteFile(t, filepath.Join(dir, key), "content")
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	r := drivertest.SumOf(key, "e1", "01")
	if got, err := drivertest.Read(t, store, key); err != nil || got != "content" {
		t.Errorf("Open: got %q, %v", got, err)
	}
	records := store.Bucket().Records
	if _, _, err := records.Lookup(t.Context(), r.Source); !errors.Is(err, pipeline.ErrNotFound) {
		t.Errorf("Lookup: %v, want ErrNotFound", err)
	}
	if err := pipelinetest.Save(t.Context(), records, r); pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), "--record 'checksums/{alg}/{key}'") {
		t.Errorf("Save: got %v, want a permanent error that says what to do", err)
	}
	if removed, err := pipelinetest.Remove(t.Context(), records, r.Source); removed || err != nil {
		t.Errorf("Remove: got %v, %v", removed, err)
	}

	// The layout that the error proposes works.
	records = drivertest.OpenFolder(t, dir, blobstore.Config{Layout: drivertest.MustLayout(t, "checksums/{alg}/{key}")}).Bucket().Records
	if err := pipelinetest.Save(t.Context(), records, r); err != nil {
		t.Error(err)
	}
	if got, _, err := records.Lookup(t.Context(), r.Source); err != nil || !got.Covers(r.Source, []string{"md5"}) {
		t.Errorf("Lookup: got %+v, %v", got, err)
	}
}
