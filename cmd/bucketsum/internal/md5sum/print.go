package md5sum

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/ordered"
)

// printTask is something to read, and the result.
type printTask struct {
	object object
	err    error             // why it cannot be read
	sums   map[string]string // by algorithm
}

// printSums prints the checksums of the named files and objects.
func printSums(ctx context.Context, std Streams, o *Options, r *reader, names []string) error {
	failed := false
	work := ordered.Work[printTask]{
		Width: o.Concurrency,
		Alone: func(t printTask) bool { return t.object.isStream() },
		Do: func(t printTask) printTask {
			if t.err == nil {
				t.sums, t.err = r.sums(ctx, t.object, o.Algorithms)
			}
			return t
		},
		Tell: func(turn []printTask) error {
			var lines strings.Builder
			flush := func() error {
				if _, err := io.WriteString(std.Out, lines.String()); err != nil {
					return writeError{err}
				}
				lines.Reset()
				return nil
			}
			for _, done := range turn {
				if done.object.listed && errors.Is(done.err, pipeline.ErrOwnRecord) {
					continue // records are not objects
				}
				if done.err != nil {
					if err := flush(); err != nil {
						return err
					}
					complain(std, done.object.name, done.err)
					failed = true
					continue
				}
				for _, algorithm := range o.Algorithms {
					lines.WriteString(o.line(algorithm, done.sums[algorithm], done.object.name))
				}
			}
			return flush()
		},
	}
	err := work.Run(ctx, func(yield func(printTask) bool) {
		for _, name := range names {
			for object, err := range r.expand(ctx, name) {
				if !yield(printTask{object: object, err: err}) {
					return
				}
			}
		}
	})
	if err != nil {
		return err
	}
	if failed {
		return ErrFailed
	}
	return nil
}

// line returns the line of one checksum.
func (o *Options) line(algorithm, value, name string) string {
	// A plain line does not name its algorithm.
	tagged := o.Tag || len(o.Algorithms) > 1
	separator := "  "
	if o.Binary {
		separator = " *"
	}
	switch {
	case tagged && o.Zero:
		return strings.ToUpper(algorithm) + " (" + name + ") = " + value + "\x00"
	case tagged:
		return digest.FormatTag(algorithm, value, name)
	case o.Zero:
		return value + separator + name + "\x00"
	default:
		// The first two spaces of a line are the separator.
		return strings.Replace(digest.FormatLine(value, name), "  ", separator, 1)
	}
}
