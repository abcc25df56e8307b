package sweep

import (
	"context"
	"iter"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Range is a part of the positions of a bucket, in their lexical order of bytes.
type Range struct {
	After   string // exclusive; empty: from the beginning
	Through string // inclusive; empty: to the end
}

// Contains reports whether a position is in the range.
func (r Range) Contains(at string) bool {
	return at > r.After && (r.Through == "" || at <= r.Through)
}

// Item is an object, or the record of one, as a [Source] lists it.
type Item struct {
	At     string          // position; in a listing the key of what is listed, or that of its version
	Object pipeline.Object // as far as the source knows it: a listing has no version ids
	// Record: a record lies at At. Object has only the bucket and the key of the object that it is of.
	Record   bool
	Modified time.Time // zero: not known
	Class    string    // storage class as the store names it; empty: not known, or the usual one
	Archived bool      // it cannot be read before it is restored
	Claims   []pipeline.Claim
	// Noncurrent: an older version of the object, or the last one of an object that was deleted. Object names it by its
	// VersionID. Only with Options.Versions.
	Noncurrent bool
}

// Source lists what a bucket has. Its methods are safe for concurrent use.
type Source interface {
	// Items yields what is in a range, in the order of positions. An error that ends the listing comes
	// with an empty position; any other says what is wrong with one item. Memory does not grow with the number of
	// items.
	Items(ctx context.Context, r Range) iter.Seq2[Item, error]
	// Split returns a position that divides the range into two parts which both have items, as far as a few
	// requests show. It is not ok if it finds none, or if listing from a position costs as much as listing from the
	// beginning.
	Split(ctx context.Context, r Range) (at string, ok bool, err error)
}

// Examine does the work on one item and returns its row. A row without a State is left out: the item is a
// record, or has gone meanwhile, or the pass is not about it. A fault of this one object is a row with the state
// [Unreadable]. An error ends the shard: ctx has ended, or pipeline.Unfinished says that the rest of the
// work is to be done by another slice. Safe for concurrent use.
type Examine func(ctx context.Context, i Item) (Row, error)
