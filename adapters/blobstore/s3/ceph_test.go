package s3_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/cephenv"
)

// Ceph RGW keeps what S3 keeps, with conditions of its own.
func TestCeph(t *testing.T) {
	server := cephenv.Start(t)
	for name, test := range map[string]struct {
		versioned bool
		says      string
	}{
		"by ETag":    {false, "If-None-Match yes; If-Match yes, bare ETag; conditional deletes no"},
		"by version": {true, "If-None-Match no; If-Match no; conditional deletes no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := drivertest.MakeS3Bucket(t, server, test.versioned)
			if says, err := b.Open(t, blobstore.Config{}).Conditions(t.Context()); err != nil || says != test.says {
				t.Errorf("conditional writes: got %q, %v, want %q", says, err, test.says)
			}
			b.WantNoVersions(t, "")
			pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
				b := drivertest.MakeS3Bucket(t, server, test.versioned)
				h := b.Harness(blobstore.Layout{})
				if test.versioned {
					h.Versions, h.Unconditional, h.Delete = true, true, b.Erase
				}
				return h
			})
		})
	}
	t.Run("records apart", func(t *testing.T) {
		t.Parallel()
		pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
			h := drivertest.MakeS3Bucket(t, server, false).Apart(drivertest.MakeS3Bucket(t, server, true), drivertest.MustLayout(t, "checksums/{key}.{alg}"))
			h.Unconditional = true
			return h
		})
	})
	// A write without a condition may be undone by one whose condition does not hold any more.
	// Records have no such writes where the store honours conditions.
	for _, locked := range []bool{false, true} {
		t.Run(fmt.Sprintf("linearizable, locked %t", locked), func(t *testing.T) {
			t.Parallel()
			b := drivertest.MakeS3Bucket(t, server, false)
			drivertest.TestLinearizable(t, drivertest.Clients{
				Buckets: drivertest.OpenBuckets(t, b.Address(), 2), Operations: 240, Locked: locked, Without: drivertest.WithoutUnconditional,
			})
		})
	}
	// A refused write would send an event.
	t.Run("no write is refused", func(t *testing.T) {
		t.Parallel()
		b := drivertest.MakeS3Bucket(t, server, false)
		var refused atomic.Int64
		proxy := b.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(&watched{w, func(status int) {
				if status == http.StatusPreconditionFailed {
					refused.Add(1)
				}
			}}, r)
		})
		store := b.Through(proxy).Open(t, blobstore.Config{})
		if _, err := store.Conditions(t.Context()); err != nil {
			t.Fatal(err)
		}
		refused.Store(0)
		for i := range 5 {
			if err := pipelinetest.Save(t.Context(), store.Bucket().Records, version(b, fmt.Sprintf("%02x", i+1), fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if n := refused.Load(); n > 0 {
			t.Errorf("%d writes were refused", n)
		}
	})
}

// watched is a response whose status a test sees.
type watched struct {
	http.ResponseWriter
	saw func(status int)
}

func (w *watched) WriteHeader(status int) {
	w.saw(status)
	w.ResponseWriter.WriteHeader(status)
}
