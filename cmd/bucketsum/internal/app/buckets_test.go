package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
)

// TestSilentBucket expects the name of a bucket that does not answer after half a minute, even if
// the open ignores its context. A bucket that opens too late is closed.
func TestSilentBucket(t *testing.T) {
	const silent = "bucket b: no answer within 30s: is its endpoint right, and may this program reach it?"
	store := blobstore.New(memory.New(memblob.OpenBucket(nil)), "b", blobstore.Config{})
	for _, test := range []struct {
		name string
		open func(bounded context.Context, release <-chan struct{}) (*blobstore.Store, error)
		took time.Duration
		want string // the error; empty: none
	}{
		{"well", func(context.Context, <-chan struct{}) (*blobstore.Store, error) { return store, nil }, 0, ""},
		{"wrong", func(context.Context, <-chan struct{}) (*blobstore.Store, error) {
			return nil, errors.New("access denied")
		}, 0, "access denied"},
		{"slow", func(bounded context.Context, _ <-chan struct{}) (*blobstore.Store, error) {
			<-bounded.Done()
			return nil, bounded.Err()
		}, bucketWait, silent},
		{"late", func(_ context.Context, release <-chan struct{}) (*blobstore.Store, error) {
			<-release
			return store, nil
		}, bucketWait, silent},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				began := time.Now()
				got, err := within(t.Context(), "b", func(bounded context.Context) (*blobstore.Store, error) { return test.open(bounded, release) })
				text := ""
				if err != nil {
					text = err.Error()
				}
				if took := time.Since(began); took != test.took || text != test.want || (got == nil) != (err != nil) {
					t.Errorf("got %v, %q after %s, want %q after %s", got, text, took, test.want, test.took)
				}
				close(release)
			})
		})
	}
	if err := store.Close(); err == nil {
		t.Error("a store that opened too late was left open")
	}
}

// TestStopWhileBucketOpens expects that a worker which is stopped does not wait for its
// buckets.
func TestStopWhileBucketOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		_, err := within(ctx, "b", func(bounded context.Context) (*blobstore.Store, error) {
			cancel()
			<-bounded.Done()
			return nil, bounded.Err()
		})
		if !errors.Is(err, context.Canceled) || time.Since(began) != 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
