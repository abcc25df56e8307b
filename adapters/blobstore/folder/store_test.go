package folder_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
