package folder_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// Notes of records that were deleted while bucketsum did not run do not pile up.
func TestCleanUpNotes(t *testing.T) {
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{Layout: drivertest.MustLayout(t, "{dir}/.sums/{base}.{alg}")})
	other := drivertest.OpenFolder(t, dir, blobstore.Config{Algorithms: []string{"sha256"}})
	save := func(s *blobstore.Store, key string) {
		t.Helper()
		drivertest.WriteFile(t, filepath.Join(dir, key), key)
		r := drivertest.SumOf(key, "e1", "01")
		r.Digests["sha256"] = strings.Repeat("0", 64)
		if err := pipelinetest.Save(t.Context(), s.Bucket().Records, r); err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("ü", 100) + "/" + strings.Repeat("ü", 100)
	for _, key := range []string{"stays", "sub/stays", "sidecar only", "object only", "sub/gone", "gone/a", "gone/b/c", long} {
		save(store, key)
	}
	save(other, "other layout stays")
	save(other, "gone/other layout")
	for _, err := range []error{
		os.RemoveAll(filepath.Join(dir, "gone")),
		os.RemoveAll(filepath.Join(dir, filepath.Dir(long))),
		os.Remove(filepath.Join(dir, "sub", "gone")),
		os.Remove(filepath.Join(dir, "sub", ".sums", "gone.md5")),
		os.Remove(filepath.Join(dir, "sidecar only")),
		os.Remove(filepath.Join(dir, ".sums", "object only.md5")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := len(notes(t, dir)); got != 10 {
		t.Fatalf("before the clean-up: %d notes", got)
	}
	if err := store.CleanUp(t.Context()); err != nil {
		t.Error(err)
	}
	var left []string
	for _, name := range notes(t, dir) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(data), `"key":"`)
		key, _, _ := strings.Cut(after, `"`)
		left = append(left, key)
	}
	slices.Sort(left)
	want := []string{".sums/object only.md5", ".sums/sidecar only.md5", ".sums/stays.md5", "other layout stays.sha256", "sub/.sums/stays.md5"}
	if !slices.Equal(left, want) {
		t.Errorf("got the notes of %q, want %q", left, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.CleanUp(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}

// If a folder cannot be read, no note is removed.
func TestCleanUpUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	drivertest.WriteFile(t, filepath.Join(dir, "sub", "a"), "a")
	if err := pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.SumOf("sub/a", "e1", "01")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "sub"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, "sub"), 0o777)
	if err := store.CleanUp(t.Context()); err != nil || len(notes(t, dir)) != 1 {
		t.Errorf("got %v, %q", err, notes(t, dir))
	}
}

// The error names a file that is in the place of the notes.
func TestHiddenIsAFile(t *testing.T) {
	for name, take := range map[string]func(name string) error{
		"file": func(name string) error { return os.WriteFile(name, nil, 0o666) },
		"link": func(name string) error { return os.Symlink(os.TempDir(), name) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := take(filepath.Join(dir, filebucket.Hidden)); err != nil {
				t.Fatal(err)
			}
			err := drivertest.OpenFolder(t, dir, blobstore.Config{}).CheckWritable()
			if err == nil || !strings.Contains(err.Error(), ".bucketsum is not a folder") || !strings.Contains(err.Error(), "move it away") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Every user who may write to the folder may run bucketsum on it, whatever umask the
// first one had.
func TestModesOfHidden(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if err := pipelinetest.Save(t.Context(), drivertest.OpenFolder(t, dir, blobstore.Config{}).Bucket().Records, drivertest.SumOf("a", "e1", "01")); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(filepath.Join(dir, filebucket.Hidden), func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm() != 0o777 {
			err = fmt.Errorf("%s has mode %s", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func BenchmarkCleanUp(b *testing.B) {
	dir := b.TempDir()
	store := drivertest.OpenFolder(b, dir, blobstore.Config{})
	const notes = 10_000
	for i := range notes {
		r := drivertest.SumOf(fmt.Sprintf("%d/%d", i%100, i), "e1", "01")
		if err := pipelinetest.Save(b.Context(), store.Bucket().Records, r); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := store.CleanUp(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/notes, "ns/note")
}
