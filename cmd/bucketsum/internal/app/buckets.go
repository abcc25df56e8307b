package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
)

// bucketWait is the longest time that one attempt to open a bucket may take.
const bucketWait = 30 * time.Second

// BucketURL is the URL of a bucket and the name that events use for it.
type BucketURL struct{ Name, URL string }

// openBuckets opens and checks all buckets, and returns the stores by name. On an error
// it leaves none open.
func openBuckets(ctx context.Context, drivers blobstore.Drivers, urls []BucketURL, c blobstore.Config) (map[string]*blobstore.Store, error) {
	return openAll(ctx, urls, func(ctx, bounded context.Context, b BucketURL) (*blobstore.Store, error) {
		store, err := drivers.Open(ctx, b.URL, b.Name, c) // the store may keep this context
		if err != nil {
			return nil, err
		}
		if err := store.Check(bounded); err != nil {
			return nil, errors.Join(err, store.Close())
		}
		return store, nil
	})
}

// openAll opens all buckets concurrently within bucketWait. On an error it leaves none
// open. It does not wait for an open that ignores the end of its bounded context, such
// as one of a folder on an unreachable network share; such a store is closed as soon as
// it has opened.
func openAll(ctx context.Context, urls []BucketURL, open func(ctx, bounded context.Context, b BucketURL) (*blobstore.Store, error)) (map[string]*blobstore.Store, error) {
	bounded, cancel := context.WithTimeout(ctx, bucketWait)
	defer cancel()
	type opened struct {
		i     int
		store *blobstore.Store
		err   error
	}
	answers := make(chan opened)
	for i, b := range urls {
		go func() {
			store, err := open(ctx, bounded, b)
			if bounded.Err() == nil {
				select {
				case answers <- opened{i, store, err}:
					return
				case <-bounded.Done():
				}
			}
			if store != nil {
				_ = store.Close() // it is too late
			}
		}()
	}
	faults := make([]error, len(urls))
	stores := make(map[string]*blobstore.Store)
	waiting := make(map[int]bool)
	for i := range urls {
		waiting[i] = true
	}
	for len(waiting) > 0 && bounded.Err() == nil {
		select {
		case a := <-answers:
			delete(waiting, a.i)
			faults[a.i] = a.err
			if a.err == nil {
				stores[urls[a.i].Name] = a.store
			}
		case <-bounded.Done():
		}
	}
	for i := range waiting {
		if faults[i] = ctx.Err(); faults[i] == nil {
			faults[i] = fmt.Errorf("bucket %s: no answer within %s: is its endpoint right, and may this program reach it?", urls[i].Name, bucketWait)
		}
	}
	for i, err := range faults {
		if err != nil {
			faults[i] = fmt.Errorf("--bucket: %w", err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, errors.Join(err, closeAll(slices.Collect(maps.Values(stores))))
	}
	return stores, nil
}

// closeAll closes the stores that are not nil.
func closeAll(stores []*blobstore.Store) error {
	var errs []error
	for _, s := range stores {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}
