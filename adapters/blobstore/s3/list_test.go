package s3_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestItems(t *testing.T) {
	for name, start := range map[string]func(testing.TB) awsenv.Server{"versitygw": awsenv.StartVersitygw, "moto": awsenv.StartMoto} {
		server := start(t)
		holds := func(key string) bool { return !strings.HasSuffix(key, "/") } // versitygw has folders there
		if name == "moto" {
			holds = func(key string) bool { return !strings.Contains(key, "\n") }
		}
		t.Run(name, func(t *testing.T) {
			h := drivertest.MakeS3Bucket(t, server, false).Harness(blobstore.Layout{})
			h.Holds = holds
			drivertest.TestItems(t, h)
		})
		t.Run(name+", records apart", func(t *testing.T) {
			h := drivertest.MakeS3Bucket(t, server, false).Apart(drivertest.MakeS3Bucket(t, server, false), drivertest.MustLayout(t, "{dir}/.sums/{base}.{alg}"))
			h.Holds = holds
			drivertest.TestItems(t, h)
		})
	}
}

// What consoles create for a folder is no object of a pass.
func TestItemsOfFolders(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartMoto(t), true)
	b.Put(t, "dir/", "")
	want := []listed{{Key: "dir/a", ID: b.Put(t, "dir/a", "1").VersionID}}
	store := b.Open(t, blobstore.Config{})
	if items, _ := versionsOf(t, b, lists(t, store), sweep.Range{}); !slices.Equal(items, want) {
		t.Errorf("versions are %+v, want %+v", items, want)
	}
	want[0].ID = "" // a listing does not tell it
	if items, _ := versionsOf(t, b, store, sweep.Range{}); !slices.Equal(items, want) {
		t.Errorf("objects are %+v, want %+v", items, want)
	}
}

func TestReports(t *testing.T) {
	for name, start := range map[string]func(testing.TB) awsenv.Server{"versitygw": awsenv.StartVersitygw, "moto": awsenv.StartMoto} {
		t.Run(name, func(t *testing.T) { drivertest.TestReports(t, drivertest.MakeS3Bucket(t, start(t), false).Address()) })
	}
}

// A store that ignores conditions is asked before each write.
func TestReportsWithoutConditions(t *testing.T) {
	plain := new(plainStore)
	server := unreached.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) { plain.ServeHTTP(w, r) })
	r, err := drivertest.Drivers.OpenReports(t.Context(), drivertest.S3Bucket{Server: server, Name: "test"}.Address(), blobstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Put(t.Context(), "pass/plan.json", []byte("one")); err != nil {
		t.Fatal(err)
	}
	drivertest.IsA(t, r.Put(t.Context(), "pass/plan.json", []byte("two")), pipeline.ErrChanged)
	if got, err := r.Get(t.Context(), "pass/plan.json"); err != nil || string(got) != "one" {
		t.Errorf("got %q, %v", got, err)
	}
}
