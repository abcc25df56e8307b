package md5sum

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/ordered"
)

// printTask is something to read, and the result.
type printTask struct {
	object object
	err    error             // why it cannot be read
	sums   map[string]string // by algorithm
	size   int64
}

// printSums prints the checksums of the named files and objects.
func printSums(ctx context.Context, std Streams, o *Options, r *reader, names []string) error {
	p := printer{std: std, o: o}
	work := ordered.Work[printTask]{
		Width: o.Concurrency,
		Alone: func(t printTask) bool { return t.object.isStream() },
		Do: func(t printTask) printTask {
			if t.err == nil {
				t.sums, t.size, t.err = r.digest(ctx, t.object, o.Algorithms)
			}
			return t
		},
		Tell: p.tell,
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
	if err == nil {
		err = p.flush()
	}
	if err != nil {
		return err
	}
	if p.failed {
		return ErrFailed
	}
	return nil
}

// printer prints results.
type printer struct {
	std    Streams
	o      *Options
	lines  strings.Builder // not printed yet
	files  int
	failed bool
}

// tell prints the results of some files, in one write if all is well.
func (p *printer) tell(turn []printTask) error {
	for _, done := range turn {
		if done.object.listed && errors.Is(done.err, pipeline.ErrOwnRecord) {
			continue // records are not objects
		}
		if p.files++; p.o.Raw && p.files > 1 {
			return errNotOne
		}
		text, err := "", done.err
		if err == nil {
			text, err = p.o.text(done)
		}
		if err == nil {
			p.lines.WriteString(text)
			continue
		}
		p.failed = true
		if p.o.Format == FormatJSON {
			p.lines.WriteString(p.o.failure(done.object.name, err))
		}
		if err := p.flush(); err != nil {
			return err
		}
		complain(p.std, done.object.name, err)
	}
	if p.o.Raw {
		return nil // there may come another file
	}
	return p.flush()
}

func (p *printer) flush() error {
	if _, err := io.WriteString(p.std.Out, p.lines.String()); err != nil {
		return writeError{err}
	}
	p.lines.Reset()
	return nil
}
