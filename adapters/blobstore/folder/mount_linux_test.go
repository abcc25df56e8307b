package folder_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// mount mounts a small file system until the test ends. If that is not permitted it skips
// the test; in CI, where it is permitted, the test fails.
func mount(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("mount: %v", err)
		}
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir)
	records := drivertest.OpenFolder(t, dir, blobstore.Config{}).Bucket().Records
	one := drivertest.SumOf("a", "e1", "01")
	if err := pipelinetest.Save(t.Context(), records, one); err != nil {
		t.Fatal(err)
	}
	fill := filepath.Join(dir, "fill")
	if err := os.WriteFile(fill, make([]byte, 1<<20), 0o666); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	for _, r := range []pipeline.Record{drivertest.SumOf("a", "e2", "02"), drivertest.SumOf("b", "e1", "01")} {
		err := pipelinetest.Save(t.Context(), records, r)
		if pipeline.Classify(err) != pipeline.ClassTransient || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("got %v, want a transient error", err)
		}
	}
	if got, _, err := records.Lookup(t.Context(), one.Source); err != nil || !got.Covers(one.Source, []string{"md5"}) {
		t.Errorf("the old record: got %+v, %v", got, err)
	}
	if left := tempFiles(t, dir); len(left) != 0 {
		t.Errorf("temporary files: got %q, want none", left)
	}
	if _, err := os.Lstat(filepath.Join(dir, "b.md5")); err == nil {
		t.Error("half a record is there")
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if err := pipelinetest.Save(t.Context(), records, drivertest.SumOf("a", "e2", "02")); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir)
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	one := drivertest.SumOf("a", "e1", "01")
	drivertest.WriteFile(t, filepath.Join(dir, "a"), "content")
	if err := pipelinetest.Save(t.Context(), store.Bucket().Records, one); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatalf("remount: %v", err)
	}
	err := store.CheckWritable()
	if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "cannot write records to "+dir) {
		t.Errorf("CheckWritable: got %v", err)
	}
	if got, err := drivertest.Read(t, store, "a"); err != nil || got != "content" {
		t.Errorf("Open: got %q, %v", got, err)
	}
	records := store.Bucket().Records
	if got, _, err := records.Lookup(t.Context(), one.Source); err != nil || !got.Covers(one.Source, []string{"md5"}) {
		t.Errorf("Lookup: got %+v, %v", got, err)
	}
	_, removeErr := pipelinetest.Remove(t.Context(), records, one.Source)
	for name, err := range map[string]error{"Save": pipelinetest.Save(t.Context(), records, drivertest.SumOf("a", "e2", "02")), "Remove": removeErr} {
		if pipeline.Classify(err) != pipeline.ClassTransient || !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: got %v, want a transient error", name, err)
		}
	}
}

// Another disk is mounted in the folder, so that no file can be moved there.
func TestMountInFolder(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o777); err != nil {
		t.Fatal(err)
	}
	mount(t, sub)
	records := drivertest.OpenFolder(t, dir, blobstore.Config{}).Bucket().Records
	for _, r := range []pipeline.Record{drivertest.SumOf("sub/a", "e1", "01"), drivertest.SumOf("sub/a", "e2", "02")} {
		if err := pipelinetest.Save(t.Context(), records, r); err != nil {
			t.Fatal(err)
		}
		if got, _, err := records.Lookup(t.Context(), r.Source); err != nil || !got.Covers(r.Source, []string{"md5"}) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if keys := drivertest.UserKeys(t, dir); len(keys) != 1 || keys[0] != "sub/a.md5" {
		t.Errorf("got %q", keys)
	}
	if left := tempFiles(t, sub); len(left) != 0 {
		t.Errorf("temporary files: got %q, want none", left)
	}
}

// TestUploadToFullDisk: nothing is left of a file that does not fit.
func TestUploadToFullDisk(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir)
	s := drivertest.OpenFolder(t, dir, blobstore.Config{})
	if _, err := uploaded(t, s, "a/big", strings.Repeat("x", 1<<20), driver.Replace{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want no space", err)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if _, err := uploaded(t, s, "small", "x", driver.Replace{}); err != nil {
		t.Errorf("a file that fits: %v", err)
	}
}

// TestUploadIntoMount: the file gets into another file system that is mounted in the folder.
func TestUploadIntoMount(t *testing.T) {
	dir := t.TempDir()
	below := filepath.Join(dir, "mnt")
	if err := os.Mkdir(below, 0o777); err != nil {
		t.Fatal(err)
	}
	mount(t, below)
	s := drivertest.OpenFolder(t, dir, blobstore.Config{})
	for _, c := range []driver.Replace{{}, {Any: true}, {There: true}} {
		state, err := uploaded(t, s, "mnt/sub/a", "content", c)
		got, reading := os.ReadFile(filepath.Join(below, "sub", "a"))
		if err != nil || reading != nil || string(got) != "content" || state.Size != 7 {
			t.Errorf("%+v: %+v, %v: file %q, %v", c, state, err, got, reading)
		}
	}
	if left, err := filepath.Glob(filepath.Join(below, "sub", ".bucketsum", "uploads", "*")); len(left) > 0 || err != nil {
		t.Errorf("left: %q, %v", left, err)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
