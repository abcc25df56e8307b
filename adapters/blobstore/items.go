package blobstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

var _ sweep.Source = (*Store)(nil)

// Items implements sweep.Source. It yields the objects of [Store.List], with the same errors, and the records
// between them, by the names that they have now. A record that is not beside its object is at the key that
// it would have beside it; if an object has that key, it is at the next possible key after the object.
//
// A position is a key. Only a folder that cannot be read, and an object whose key the store cannot tell, have another
// one if their key is outside of the range or before what came last. The listing ends with an error if the store does not list in the
// order of bytes, because ranges would then leave objects out.
func (s *Store) Items(ctx context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	items := placed(s.listed(ctx, r), r)
	if s.apart {
		items = merged(items, placed(s.listedApart(ctx, r), r))
	}
	return items
}

// placed gives errors a position that is in the range and after the one before it.
func placed(items iter.Seq2[sweep.Item, error], r sweep.Range) iter.Seq2[sweep.Item, error] {
	return func(yield func(sweep.Item, error) bool) {
		last := r.After
		for i, err := range items {
			if err != nil && i.At != "" && (i.At <= last || !r.Contains(i.At) || strings.Contains(i.At, "\uFFFD")) {
				i.At = last + "\x00" + i.At // no file has a NUL in its name
			}
			if !yield(i, err) {
				return
			}
			last = i.At
		}
	}
}

// listed yields the objects, and the records that are beside them.
func (s *Store) listed(ctx context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	skip := s.recorder.IsRecord
	if s.beside {
		skip = s.records.reserved
	}
	return func(yield func(sweep.Item, error) bool) {
		for e, err := range s.inOrder(ctx, s.bucket, driver.Listing{Range: r, Skip: skip}) {
			i := itemOf(e)
			if s.beside {
				i.Object.Key, _, i.Record = s.records.layout.ObjectKey(e.Key)
			}
			if i.Record {
				i.Claims, err = nil, nil // a look at the record says what is wrong with it
			} else if i.Object = e.Of(pipeline.Object{Key: e.Key}); err == nil {
				err = cmp.Or(checkKey(s.bucket, s.traits, e.Key), s.isObject(ctx, e.Key, e.State))
			}
			if errors.Is(err, pipeline.ErrOwnRecord) {
				continue // a record by another layout
			}
			i.Object.Bucket = s.name
			if err != nil {
				i.Object.Size = pipeline.UnknownSize
				err = fmt.Errorf("list %s: %w", printable(i.Object), readable.Error(err))
			}
			if !yield(i, err) {
				return
			}
		}
	}
}

// listedApart yields the records in a bucket of their own.
func (s *Store) listedApart(ctx context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	prefix := s.records.prefix
	l := driver.Listing{Prefix: prefix, KeysOnly: true, Range: sweep.Range{After: prefix + r.After}}
	if r.Through != "" {
		l.Range.Through = prefix + r.Through
	}
	return func(yield func(sweep.Item, error) bool) {
		for e, err := range s.inOrder(ctx, s.keeper, l) {
			i := itemOf(e)
			if e.Key != "" {
				i.At = e.Key[len(prefix):]
			}
			i.Object.Bucket = s.name
			if i.Object.Key, _, i.Record = s.records.layout.ObjectKey(i.At); i.Record {
				err = nil
			} else if err == nil || errors.Is(err, pipeline.ErrFiltered) {
				continue // not ours
			} else {
				i.Object.Key = i.At
				err = fmt.Errorf("list records of %s: %w", printable(i.Object), readable.Error(err))
			}
			if !yield(i, err) {
				return
			}
		}
	}
}

func itemOf(e driver.Entry) sweep.Item {
	return sweep.Item{At: e.Key, Modified: e.Modified, Class: e.Class, Archived: e.Archived, Claims: e.Claims}
}

// merged yields the items of two listings in the order of positions, until one of them fails.
func merged(objects, records iter.Seq2[sweep.Item, error]) iter.Seq2[sweep.Item, error] {
	return func(yield func(sweep.Item, error) bool) {
		next, stop := iter.Pull2(records)
		defer stop()
		record, fault, ok := next()
		// recordsBefore yields the records before a position, and reports whether to go on.
		recordsBefore := func(at string, all bool) bool {
			for ; ok && (all || record.At < at); record, fault, ok = next() {
				if !yield(record, fault) || record.At == "" {
					return false
				}
			}
			return true
		}
		for o, err := range objects {
			if o.At != "" && !recordsBefore(o.At, false) {
				return
			}
			if ok && record.At == o.At {
				record.At += "\x00"
			}
			if !yield(o, err) || o.At == "" {
				return
			}
		}
		recordsBefore("", true)
	}
}

// inOrder yields what a bucket lists in a range. It fails if the keys do not come in the order of their bytes: the
// range may then lack some that no other range has.
func (s *Store) inOrder(ctx context.Context, b driver.Bucket, l driver.Listing) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		last := ""
		for e, err := range b.List(ctx, l) {
			if err == nil {
				if e.Key <= last || last == "" && e.Key < l.Range.After && !s.startsOver(ctx, b, l, e.Key) {
					yield(driver.Entry{}, pipeline.Permanent(fmt.Errorf(
						"%s lists %q after %q: it does not list in the order of bytes, so that parts of the listing cannot be told apart",
						b.Traits().Name, e.Key, cmp.Or(last, l.Range.After))))
					return
				}
				last = e.Key
				if e.Key <= l.Range.After {
					continue
				}
				if !l.Range.Contains(e.Key) {
					return
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// startsOver reports whether a listing that should start after a position starts with the first key instead, because the
// store cannot start elsewhere. Every part of the listing then costs as much as all that come before it.
func (s *Store) startsOver(ctx context.Context, b driver.Bucket, l driver.Listing, first string) bool {
	l.Range, l.Want, l.KeysOnly = sweep.Range{}, 1, true
	for e, err := range b.List(ctx, l) {
		if err != nil || e.Key != first {
			return false
		}
		if !s.fromStart.Swap(true) {
			s.reading.log.WarnContext(ctx, "the store can list from the beginning only: a pass in many shards, or one that is resumed, lists the same keys again", "bucket", s.name)
		}
		return true
	}
	return false
}
