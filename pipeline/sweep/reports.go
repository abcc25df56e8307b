package sweep

import (
	"context"
	"iter"
)

// Reports keeps plans and reports by name: names are relative paths of lower-case letters, digits and "-_./".
// Its methods are safe for concurrent use, also by several processes.
type Reports interface {
	// Put writes an object of at most MaxObject bytes, usually some hundred kilobytes, unless there is one already: pipeline.ErrChanged.
	Put(ctx context.Context, name string, data []byte) error
	// Get returns an object, or pipeline.ErrNotFound. An object that is larger than MaxObject is an error.
	Get(ctx context.Context, name string) ([]byte, error)
	// Names yields the names that begin with a prefix that ends with a slash, in lexical order.
	Names(ctx context.Context, prefix string) iter.Seq2[string, error]
}
