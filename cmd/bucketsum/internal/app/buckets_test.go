package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
)

// TestSilentBuckets expects the names of all buckets that do not answer after half a
// minute, even if an open ignores its context. A bucket that opens too late is closed.
func TestSilentBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		well := blobstore.New(memory.New(memblob.OpenBucket(nil)), "well", blobstore.Config{})
		late := blobstore.New(memory.New(memblob.OpenBucket(nil)), "late", blobstore.Config{})
		urls := []BucketURL{{Name: "well"}, {Name: "slow"}, {Name: "wrong"}, {Name: "silent"}, {Name: "late"}}
		began := time.Now()
		stores, err := openAll(t.Context(), urls, func(_, bounded context.Context, b BucketURL) (*blobstore.Store, error) {
			switch b.Name {
			case "well":
				return well, nil
			case "wrong":
				return nil, errors.New("access denied")
			case "late":
				<-release
				return late, nil
			default:
				<-bounded.Done()
				return nil, bounded.Err()
			}
		})
		if took := time.Since(began); took != bucketWait || stores != nil || err == nil {
			t.Fatalf("%v, %v after %s, want an error after %s", stores, err, took, bucketWait)
		}
		lines := strings.Split(err.Error(), "\n")
		want := []string{"bucket slow: no answer within 30s", "access denied", "bucket silent: no answer", "bucket late: no answer"}
		if len(lines) != len(want) {
			t.Fatalf("%q, want a line for each of %q", lines, want)
		}
		for i, part := range want {
			if !strings.HasPrefix(lines[i], "--bucket: ") || !strings.Contains(lines[i], part) {
				t.Errorf("line %d is %q, want %q", i, lines[i], part)
			}
		}
		close(release)
		synctest.Wait()
		for _, s := range []*blobstore.Store{well, late} {
			if err := s.Close(); err == nil {
				t.Errorf("a store was left open")
			}
		}
	})
}

// TestStopWhileBucketsOpen expects that a worker which is stopped does not wait for its
// buckets.
func TestStopWhileBucketsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		_, err := openAll(ctx, []BucketURL{{Name: "silent"}}, func(_, bounded context.Context, _ BucketURL) (*blobstore.Store, error) {
			cancel()
			<-bounded.Done()
			return nil, bounded.Err()
		})
		if !errors.Is(err, context.Canceled) || time.Since(began) != 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
