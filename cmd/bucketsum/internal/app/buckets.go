package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
)

// bucketWait is the longest time that one attempt to open a bucket may take.
const bucketWait = 30 * time.Second

// BucketURL is the URL of a bucket and the name that events use for it.
type BucketURL struct{ Name, URL string }

// OpenBucket opens a bucket and checks that it can be used, as far as that shows without writing to an object
// store. It waits half a minute for an answer.
func OpenBucket(ctx context.Context, drivers blobstore.Drivers, b BucketURL, c blobstore.Config) (*blobstore.Store, error) {
	return openBucket(ctx, drivers, b, c, (*blobstore.Store).Check)
}

// OpenReadable is OpenBucket for a bucket to which nothing need be written.
func OpenReadable(ctx context.Context, drivers blobstore.Drivers, b BucketURL, c blobstore.Config) (*blobstore.Store, error) {
	return openBucket(ctx, drivers, b, c, (*blobstore.Store).CheckReadable)
}

func openBucket(ctx context.Context, drivers blobstore.Drivers, b BucketURL, c blobstore.Config, check func(*blobstore.Store, context.Context) error) (*blobstore.Store, error) {
	return within(ctx, b.Name, func(bounded context.Context) (*blobstore.Store, error) {
		store, err := drivers.Open(ctx, b.URL, b.Name, c) // the store may keep this context
		if err != nil {
			return nil, err
		}
		if err := check(store, bounded); err != nil {
			return nil, errors.Join(err, store.Close())
		}
		return store, nil
	})
}

// within opens a bucket within bucketWait. It does not wait for an open that ignores the end of its
// context, such as one of a folder on an unreachable network share; such a store is closed as soon as
// it has opened.
func within(ctx context.Context, name string, open func(bounded context.Context) (*blobstore.Store, error)) (*blobstore.Store, error) {
	bounded, cancel := context.WithTimeout(ctx, bucketWait)
	defer cancel()
	type opened struct {
		store *blobstore.Store
		err   error
	}
	answer := make(chan opened)
	go func() {
		store, err := open(bounded)
		if bounded.Err() == nil {
			select {
			case answer <- opened{store, err}:
				return
			case <-bounded.Done():
			}
		}
		if store != nil {
			_ = store.Close() // it is too late
		}
	}()
	var a opened
	select {
	case a = <-answer:
	case <-bounded.Done():
		if a.err = ctx.Err(); a.err == nil {
			a.err = fmt.Errorf("bucket %s: no answer within %s: is its endpoint right, and may this program reach it?", name, bucketWait)
		}
	}
	return a.store, a.err
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
