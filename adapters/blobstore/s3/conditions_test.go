package s3_test

import (
	"bytes"
	"errors"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// A store without conditional writes is used, with a warning.
func TestStoreWithoutConditions(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	for name, refuses := range map[string]bool{"refuses": true, "ignores": false} {
		t.Run(name, func(t *testing.T) {
			b := drivertest.MakeS3Bucket(t, server, false)
			// The conditions are signed, so that they cannot be taken away on the way:
			// a store of another kind is needed.
			store := new(plainStore)
			proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				if refuses && r.Method != http.MethodGet && r.Header.Get("If-Match")+r.Header.Get("If-None-Match") != "" {
					drivertest.Answer(w, 501, "NotImplemented")
					return
				}
				store.ServeHTTP(w, r)
			})
			var log bytes.Buffer
			records := b.Through(proxy).Open(t, blobstore.Config{Log: slog.New(slog.NewTextHandler(&log, nil))}).Bucket().Records
			_, before, _ := records.Lookup(t.Context(), version(b, "", "").Source)
			for _, v := range []pipeline.Record{version(b, "02", "b"), version(b, "03", "b"), version(b, "04", "c")} {
				if err := pipelinetest.Save(t.Context(), records, v); err != nil {
					t.Errorf("%s: %v", v.Source.Sequencer, err)
				}
			}
			if err := records.Save(t.Context(), version(b, "01", "a"), before); !errors.Is(err, pipeline.ErrChanged) {
				t.Errorf("a write after others: %v, want ErrChanged", err)
			}
			if got, _, err := records.Lookup(t.Context(), version(b, "", "").Source); err != nil || got.Source.Sequencer != "04" {
				t.Errorf("the record is %+v, %v", got, err)
			}
			if removed, err := pipelinetest.Remove(t.Context(), records, version(b, "05", "").Source); err != nil || !removed {
				t.Errorf("Remove: %v, %v", removed, err)
			}
			if n := strings.Count(log.String(), "conditional writes"); n != 1 {
				t.Errorf("%d warnings:\n%s", n, &log)
			}
		})
	}
}

// Where the record was deleted, another write is under way: the store refuses the worker's write for a
// moment. The worker does not write without a condition then, which could undo the other write.
func TestConflictOverDeleteMarker(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, true)
	plain := b.Open(t, blobstore.Config{}).Bucket().Records
	if err := pipelinetest.Save(t.Context(), plain, version(b, "01", "a")); err != nil {
		t.Fatal(err)
	}
	if removed, err := pipelinetest.Remove(t.Context(), plain, version(b, "02", "").Source); err != nil || !removed {
		t.Fatalf("Remove: %v, %v", removed, err)
	}
	conflicts, last := 0, false
	proxy := b.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		conditional := r.Header.Get("If-None-Match")+r.Header.Get("If-Match") != ""
		switch {
		case r.Method != http.MethodPut:
		case conditional && conflicts < 4:
			conflicts, last = conflicts+1, true
			drivertest.Answer(w, 409, "ConditionalRequestConflict")
			return
		case last && !conditional:
			t.Error("a write without a condition follows a conflict")
		default:
			last = false
		}
		next.ServeHTTP(w, r)
	})
	records := b.Through(proxy).Open(t, blobstore.Config{}).Bucket().Records
	err := pipelinetest.Save(t.Context(), records, version(b, "03", "c"))
	for errors.Is(err, pipeline.ErrChanged) {
		err = pipelinetest.Save(t.Context(), records, version(b, "03", "c"))
	}
	if err != nil {
		t.Error(err)
	}
	if conflicts != 4 {
		t.Errorf("%d conflicts, want 4", conflicts)
	}
}

// A record is removed while the worker finds out what the store can do: the store is not taken for
// one without conditions.
func TestRemovedDuringProbe(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	for _, nth := range []int64{2, 3} { // of the writes: the first one is the record's
		b := drivertest.MakeS3Bucket(t, server, false)
		other := b.Open(t, blobstore.Config{}).Bucket().Records
		var writes atomic.Int64
		proxy := b.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodPut && writes.Add(1) == nth {
				if removed, err := pipelinetest.Remove(t.Context(), other, version(b, "02", "").Source); err != nil || !removed {
					t.Errorf("remove the record: %v, %v", removed, err)
				}
			}
			next.ServeHTTP(w, r)
		})
		var log bytes.Buffer
		records := b.Through(proxy).Open(t, blobstore.Config{Log: slog.New(slog.NewTextHandler(&log, nil))}).Bucket().Records
		if err := pipelinetest.Save(t.Context(), records, version(b, "01", "a")); err != nil {
			t.Fatal(err)
		}
		if log.Len() > 0 {
			t.Errorf("removed before write %d: %s", nth, &log)
		}
		// It knows the store now.
		before := writes.Load()
		if err := pipelinetest.Save(t.Context(), records, version(b, "03", "c")); err != nil {
			t.Fatal(err)
		}
		if n := writes.Load() - before; n != 1 {
			t.Errorf("removed before write %d: %d writes for the next record, want 1", nth, n)
		}
	}
}
