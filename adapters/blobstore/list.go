package blobstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// List returns every object of the bucket that is not a record, with its ETag and size, in the
// lexical order of keys. What cannot be read or cannot be an object at all (a name that is not
// UTF-8, a folder that cannot be read, a device) comes with an error, so that nothing is left
// out in silence; its other fields are then unknown. The listing continues after an error,
// except after an error of the whole store or the end of ctx. Symbolic links to folders are not
// followed. A folder in a folder that is a bucket of its own, as it has notes of its records,
// comes as one ErrFiltered.
//
// A listing of a folder takes memory for the names of one directory on each level. S3 lists
// ETags and sizes, but no versions. gs:// and azblob:// list what Stat tells; mem:// is asked
// for each object.
func (s *Store) List(ctx context.Context) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		for e, err := range s.bucket.List(ctx, driver.Listing{Skip: s.recorder.IsRecord}) {
			if err == nil {
				err = cmp.Or(checkKey(s.bucket, s.traits, e.Key), s.isObject(ctx, e.Key, e.State))
			}
			if errors.Is(err, pipeline.ErrOwnRecord) {
				continue // a record by another layout
			}
			o := e.Of(pipeline.Object{Bucket: s.name, Key: e.Key})
			if err != nil {
				o.Size = pipeline.UnknownSize
				err = fmt.Errorf("list %s: %w", printable(o), readable.Error(err))
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// Recorded yields the keys of the objects that have a record, whether the objects still exist
// or not. Where there is no object, a file of the user's with the name of a record is none. A key
// comes once for each algorithm that is recorded. Errors are those of List.
func (s *Store) Recorded(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		notRecord := func(key string) bool { return !s.records.layout.IsRecord(key) }
		for e, err := range s.bucket.List(ctx, driver.Listing{Skip: notRecord, KeysOnly: true}) {
			key, _, ok := s.records.layout.ObjectKey(e.Key)
			if !ok && err == nil || errors.Is(err, pipeline.ErrFiltered) {
				continue
			}
			if err == nil && s.isForeign(ctx, key, e.Key) {
				continue
			}
			if !yield(key, err) {
				return
			}
		}
	}
}

// isForeign reports whether a file named like the record of an object that does not exist is the user's.
func (s *Store) isForeign(ctx context.Context, object, record string) bool {
	if _, err := s.bucket.Stat(ctx, object); !errors.Is(err, pipeline.ErrNotFound) {
		return false
	}
	r, err := s.records.read(ctx, record)
	return err == nil && !r.ours()
}

// Keys returns the keys that begin with a prefix, including those of records, in their lexical
// order. In a folder the prefix must be empty or end with a slash, and records are left out. It
// asks for keys only, and so lists whatever users put there. The first error ends the listing,
// except in a folder, see [Store.List].
func (s *Store) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for e, err := range s.bucket.List(ctx, driver.Listing{Prefix: prefix, KeysOnly: !s.traits.Local}) {
			if err == nil && s.traits.Local {
				err = s.isObject(ctx, e.Key, e.State)
			} else if err == nil {
				err = driver.FolderMark(e.Key, e.Size)
			}
			if errors.Is(err, pipeline.ErrOwnRecord) || !s.traits.Local && errors.Is(err, pipeline.ErrFiltered) {
				continue
			}
			if err != nil {
				e.Key = cmp.Or(e.Key, prefix)
				err = fmt.Errorf("list %s: %w", printable(pipeline.Object{Bucket: s.name, Key: e.Key}), readable.Error(err))
			}
			if !yield(e.Key, err) {
				return
			}
		}
	}
}
