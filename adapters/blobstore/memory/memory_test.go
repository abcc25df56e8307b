package memory_test

import (
	"context"
	"strings"
	"testing"

	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
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
	bucket := memblob.OpenBucket(nil)
	// Another process would write conditionally; memblob cannot, so that all
	// have to share one store.
	stores := make(map[string]*blobstore.Store)
	t.Cleanup(func() {
		if err := bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	return pipelinetest.Store{
		Name: "memory",
		Open: func(_ *testing.T, algorithms ...string) pipeline.Bucket {
			name := strings.Join(algorithms, ",")
			if stores[name] == nil {
				stores[name] = blobstore.New(memory.New(bucket), "memory", blobstore.Config{Layout: layout, Algorithms: algorithms})
			}
			return stores[name].Bucket()
		},
		RecordKey: layout.RecordKey,
		Put: func(t *testing.T, key, content string) {
			if err := bucket.WriteAll(context.Background(), key, []byte(content), nil); err != nil {
				t.Fatal(err)
			}
		},
		Get: func(t *testing.T, key string) (string, bool) {
			content, err := bucket.ReadAll(context.Background(), key)
			if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
				t.Error(err)
			}
			return string(content), err == nil
		},
		Delete: func(t *testing.T, key string) {
			if err := bucket.Delete(context.Background(), key); err != nil {
				t.Fatal(err)
			}
		},
		Keys: func(t *testing.T) []string {
			var keys []string
			for entries := bucket.List(nil); ; {
				entry, err := entries.Next(context.Background())
				if err != nil {
					return keys
				}
				keys = append(keys, entry.Key)
			}
		},
	}
}

func TestItems(t *testing.T) {
	h := harness(t, blobstore.Layout{})
	h.Holds = func(key string) bool { return !strings.HasSuffix(key, "/") }
	drivertest.TestItems(t, h)
}

func TestReports(t *testing.T) { drivertest.TestReports(t, "") }
