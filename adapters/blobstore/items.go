package blobstore

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

var _ sweep.Source = (*Store)(nil)

// Items implements sweep.Source. It yields the objects of [Store.List], with the same errors, and the records between
// them, by the names that they have now. It leaves out what stands for a folder in a store that has none. A record that
// is not beside its object is at the key that it would have beside it; if an object has that key, it is at the next
// possible key after the object.
//
// A position is a key. What has a key that cannot be one has another: see place. The listing ends with an error if the store does not list in the
// order of bytes, because ranges would then leave objects out.
func (s *Store) Items(ctx context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	return s.items(ctx, s.listed, r)
}

// items yields what is listed of objects, with the records that are apart.
func (s *Store) items(ctx context.Context, listed lists, r sweep.Range) iter.Seq2[sweep.Item, error] {
	if !s.traits.Local && !utf8.ValidString(r.After+r.Through) {
		return func(yield func(sweep.Item, error) bool) {
			yield(sweep.Item{}, pipeline.Permanent(fmt.Errorf("list bucket %s after %q through %q: only folders have keys that are not UTF-8", s.name, r.After, r.Through)))
		}
	}
	items := placed(ctx, listed, r)
	if s.apart {
		items = merged(items, placed(ctx, s.listedApart, r))
	}
	return items
}

// lists yields what is in a range.
type lists func(context.Context, sweep.Range) iter.Seq2[sweep.Item, error]

// place is a position of what has a key that cannot be one: it is too long, or the store cannot tell it; or a folder that
// cannot be read has a key that is outside of the range, or before what came last. It follows the last key that is a
// position, and has the beginning of the other key in hexadecimal, which keeps its order, and a number, which is zero unless
// this does not tell it from others. So a position stays short, however many of them follow each other.
type place struct {
	after string // the last key that is a position
	key   string // the highest since then, in hexadecimal
	n     int
}

const placeBytes = 1000 // of a key that a place has

// String returns the position. No key has a NUL where keys can be wrong.
func (p place) String() string { return fmt.Sprintf("%s\x00%s\x00%08d", p.after, p.key, p.n) }

var placeForm = regexp.MustCompile(`(?s)^(.*)\x00[0-9a-f]+\x00[0-9]{8}\x00?$`) // the last NUL is of merged

// next moves to the place of a key.
func (p *place) next(key string) {
	if code := hex.EncodeToString([]byte(key[:min(len(key), placeBytes)])); code > p.key {
		p.key, p.n = code, 0
	} else {
		p.n++
	}
}

// placed gives each item of a listing a position that is in the range and after the one before it. A range that begins at
// a place is listed from the key before that, so that the places are the same again. It ends with a place where that is seen.
func placed(ctx context.Context, list lists, r sweep.Range) iter.Seq2[sweep.Item, error] {
	from, through := r.After, r.Through
	if parts := placeForm.FindStringSubmatch(from); parts != nil {
		from = parts[1]
	}
	if placeForm.MatchString(through) {
		through = ""
	}
	return func(yield func(sweep.Item, error) bool) {
		at, last := place{after: from}, from
		for i, err := range list(ctx, sweep.Range{After: from, Through: through}) {
			switch {
			case i.At == "": // the listing ends
			case len(i.At) <= pipeline.MaxKey && (err == nil || i.At > last && r.Contains(i.At) && !strings.Contains(i.At, "\uFFFD")):
				at, last = place{after: i.At}, i.At
			default:
				at.next(i.At)
				i.At = at.String()
				last = i.At
			}
			if i.At != "" && i.At <= r.After {
				continue
			}
			if r.Through != "" && i.At > r.Through || !yield(i, err) {
				return
			}
		}
	}
}

// listed yields the objects, and the records that are beside them.
func (s *Store) listed(ctx context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	return func(yield func(sweep.Item, error) bool) {
		for e, err := range s.inOrder(ctx, s.bucket, driver.Listing{Range: r, Skip: s.skipped()}) {
			i, err := s.itemOf(ctx, e, err)
			if s.isOther(err) {
				continue
			}
			if !yield(i, err) {
				return
			}
		}
	}
}

// isOther reports whether an error says that a record by another layout is listed, or what stands for a folder in a
// store that has none. What is a folder's own is told, as nothing else tells that its files are not looked at.
func (s *Store) isOther(err error) bool {
	return errors.Is(err, pipeline.ErrOwnRecord) || !s.traits.Local && errors.Is(err, pipeline.ErrFiltered)
}

// skipped returns which keys are neither those of objects nor of records beside them.
func (s *Store) skipped() func(key string) bool {
	if s.beside {
		return s.records.reserved
	}
	return s.recorder.IsRecord
}

// itemOf returns the item of what is listed in the bucket of the objects.
func (s *Store) itemOf(ctx context.Context, e driver.Entry, err error) (sweep.Item, error) {
	i := itemOf(e)
	if s.beside {
		i.Object.Key, _, i.Record = s.records.layout.ObjectKey(e.Key)
	}
	if i.Record {
		i.Claims, err = nil, nil // a look at the record says what is wrong with it
	} else if i.Object = e.Of(pipeline.Object{Key: e.Key}); err == nil {
		err = cmp.Or(checkKey(s.bucket, s.traits, e.Key), s.isObject(ctx, e.Key, e.State))
	}
	i.Object.Bucket = s.name
	if err != nil {
		i.Object.Size = pipeline.UnknownSize
		err = fmt.Errorf("list %s: %w", printable(i.Object), readable.Error(err))
	}
	return i, err
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
	return sweep.Item{At: e.Key, Modified: e.Modified, Class: e.Class, Archived: e.Archived, Claims: e.Claims, Noncurrent: e.Noncurrent}
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

// Lists returns what a pass with these options lists: the store itself, or the source of all versions of its objects,
// with the records of the current ones. An error says that the store does not list versions.
func (s *Store) Lists(o sweep.Options) (sweep.Source, error) {
	switch {
	case !o.Versions:
		return s, nil
	case !s.traits.Versions:
		return nil, fmt.Errorf("--versions: bucket %s is in %s, and versions are listed on S3 only: leave out --versions", s.name, s.traits.Name)
	}
	return versions{s}, nil
}

// versions lists the versions of a store's objects. Their positions are after that of their key, see [versionAt], so
// that a position that is a key divides all versions of a key from those before it.
type versions struct{ *Store }

// Items implements sweep.Source.
func (v versions) Items(ctx context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	return v.items(ctx, v.listed, r)
}

// versionAt returns the position of a version: after another one of its key, or after the key itself. No key has a NUL.
// The id tells where a listing continues when there are newer versions by then.
func versionAt(after string, n int, id string) string {
	return fmt.Sprintf("%s\x00%09d %s", after, n, id)
}

// versionOf returns the key of a position, and the version that is there; empty: it is before all versions.
func versionOf(at string) (key, base string, n int, id string) {
	key, _, ok := strings.Cut(at, "\x00")
	if !ok {
		return at, at, 0, ""
	}
	last := strings.LastIndexByte(at, 0)
	count, id, _ := strings.Cut(at[last+1:], " ")
	n, err := strconv.Atoi(count)
	if err != nil {
		return key, at, 0, "" // of something that is not a version
	}
	return key, at[:last], n, id
}

// listed yields the versions of a range, and the current records between them. A range that begins with a version
// continues after it. If that one is gone, it cannot be told which came before it: the versions of its key come again.
func (v versions) listed(ctx context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	return func(yield func(sweep.Item, error) bool) {
		w := &versionWalk{versions: v, r: r}
		w.key, w.base, w.n, w.after = versionOf(r.After)
		w.first = w.key
		w.last, _, _, w.through = versionOf(r.Through)
		if w.walk(ctx, yield) {
			w.key, w.base, w.n, w.after = w.first, r.After, 0, ""
			w.walk(ctx, yield)
		}
	}
}

// versionWalk is a listing of versions.
type versionWalk struct {
	versions
	r              sweep.Range
	first, last    string // keys of the range
	after, through string // versions where it begins and ends; empty: at the keys

	key  string // that is listed
	base string // of its positions
	n    int    // its last position
}

// walk yields the versions, and reports whether the one is gone that the range begins after.
func (w *versionWalk) walk(ctx context.Context, yield func(sweep.Item, error) bool) (gone bool) {
	l := driver.Listing{Range: sweep.Range{After: w.first, Through: w.last}, Skip: w.skipped(), Versions: true}
	for e, err := range w.bucket.List(ctx, l) {
		if e.Key == "" {
			yield(sweep.Item{}, err)
			return false
		}
		if w.after != "" && (err != nil || e.Key == w.first) {
			if err == nil && e.VersionID == w.after {
				w.after = ""
			}
			continue
		}
		if w.after != "" {
			return true
		}
		if err == nil {
			switch {
			case e.Key < w.key:
				yield(sweep.Item{}, pipeline.Permanent(fmt.Errorf("%s lists a version of %q after those of %q: it does not list in the order of bytes",
					w.traits.Name, e.Key, w.key)))
				return false
			case w.last != "" && (e.Key > w.last || e.Key == w.last && w.r.Through == w.last):
				return false
			case e.Key > w.key:
				w.key, w.base, w.n = e.Key, e.Key, 0
			}
		}
		if !w.tell(ctx, e, err, yield) {
			return false
		}
	}
	return w.after != ""
}

// tell yields a version, if it is in the range, and reports whether more may be.
func (w *versionWalk) tell(ctx context.Context, e driver.Entry, err error, yield func(sweep.Item, error) bool) bool {
	if err == nil && strings.Contains(e.Key, "\x00") {
		err = pipeline.Permanent(fmt.Errorf("the key %q has a NUL, so that positions of its versions cannot be told apart", e.Key))
	}
	i, fault := w.itemOf(ctx, e, err)
	if i.Record && e.Noncurrent || w.isOther(fault) {
		return true
	}
	if err == nil {
		w.n++
		i.At = versionAt(w.base, w.n, e.VersionID)
		i.Object.VersionID = e.VersionID
		if e.Key == w.last && e.VersionID == w.through {
			i.At = w.r.Through
			return yield(i, fault) && false
		}
		if !w.r.Contains(i.At) {
			return true // it came after the end of the range was known
		}
	}
	return yield(i, fault)
}
