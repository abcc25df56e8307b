package folder_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { drivertest.Main(m) }

func TestStore(t *testing.T) {
	for _, template := range []string{blobstore.DefaultLayout, "checksums/{key}.{alg}", "{dir}/.sums/{base}.{alg}"} {
		layout := drivertest.MustLayout(t, template)
		t.Run(layout.String(), func(t *testing.T) {
			pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store { return harness(t, layout) })
		})
	}
}

func harness(t *testing.T, layout blobstore.Layout) pipelinetest.Store {
	dir := t.TempDir()
	for _, folder := range []string{"dir", "no"} { // records are written only where the folder of their object is
		if err := os.Mkdir(filepath.Join(dir, folder), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return pipelinetest.Store{
		Name: "inbox",
		Open: func(t *testing.T, algorithms ...string) pipeline.Bucket {
			return drivertest.OpenFolder(t, dir, blobstore.Config{Layout: layout, Algorithms: algorithms}).Bucket()
		},
		RecordKey: layout.RecordKey,
		Put:       func(t *testing.T, key, content string) { drivertest.WriteFile(t, filepath.Join(dir, key), content) },
		Get: func(t *testing.T, key string) (string, bool) {
			content, err := os.ReadFile(filepath.Join(dir, key))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			return string(content), err == nil
		},
		Delete: func(t *testing.T, key string) {
			name := filepath.Join(dir, key)
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			for name = filepath.Dir(name); name != dir && os.Remove(name) == nil; name = filepath.Dir(name) {
				continue // the folders that it leaves empty
			}
		},
		Keys: func(t *testing.T) []string { return drivertest.UserKeys(t, dir) },
	}
}

func TestItems(t *testing.T) {
	for _, template := range []string{blobstore.DefaultLayout, "checksums/{key}.{alg}", "{dir}/.sums/{base}.{alg}"} {
		h := harness(t, drivertest.MustLayout(t, template))
		h.Holds = func(key string) bool { return !strings.HasSuffix(key, "/") }
		drivertest.TestItems(t, h)
	}
}

// Whether users have modified a file shows in its modification time and its size. The time of change changes
// with the permissions, too.
func TestUnmodified(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	bucket := drivertest.OpenFolder(t, dir, blobstore.Config{}).Bucket()
	state := func(content string, at int64) pipeline.Object {
		t.Helper()
		drivertest.WriteFile(t, name, content)
		if err := os.Chtimes(name, time.Time{}, time.Unix(at, 5)); err != nil {
			t.Fatal(err)
		}
		o, err := bucket.Source.Stat(t.Context(), drivertest.Object("a"))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	first := state("one", 1_000_000_000)
	afterTick(t, dir)
	if damaged := state("two", 1_000_000_000); first.SameVersion(damaged) || !bucket.Unmodified(first, damaged) {
		t.Errorf("%+v is modified to %+v", first, damaged)
	}
	for _, other := range []pipeline.Object{state("three", 1_000_000_000), state("one", 1_000_000_001)} {
		if bucket.Unmodified(first, other) {
			t.Errorf("%+v is unmodified to %+v", first, other)
		}
	}
}

func TestReports(t *testing.T) { drivertest.TestReports(t, "file://"+t.TempDir()) }
