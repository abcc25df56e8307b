package pipeline

import (
	"context"
	"errors"
)

// Checkpoints keeps, for each object, how far the reading of it has come, so that
// the next worker need not begin again. Its methods are safe for concurrent use,
// also from several processes; the last Save counts. What is kept is of use to
// its readers only after they have made sure that it is of the same version.
type Checkpoints interface {
	// Load returns what was saved last for the object's key, of whichever version
	// that was. ErrNotFound if there is nothing. A Permanent error says that this
	// store will never tell.
	Load(ctx context.Context, o Object) ([]byte, error)
	// Save replaces what is kept for the object's key by state, a few kilobytes. It
	// returns nil when that will survive a crash.
	Save(ctx context.Context, o Object, state []byte) error
	// Delete forgets the object's key; nil if there was nothing.
	Delete(ctx context.Context, o Object) error
}

// OffsetSource is a [Source] that can also begin in the middle of an object.
type OffsetSource interface {
	// OpenAt is Source.Open from the byte at offset on, which is not more than the
	// object has. The reader's Object is the whole one.
	OpenAt(ctx context.Context, o Object, offset int64) (Reader, error)
}

// OpenAt opens an object at an offset. errors.ErrUnsupported if the source is no
// [OffsetSource].
func OpenAt(ctx context.Context, s Source, o Object, offset int64) (Reader, error) {
	at, ok := s.(OffsetSource)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return at.OpenAt(ctx, o, offset)
}
