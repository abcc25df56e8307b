package md5sum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/ordered"
)

// check verifies the files that the lists name.
func check(ctx context.Context, std Streams, o *Options, r *reader, lists []string) error {
	failed := false
	for _, list := range lists {
		for object, err := range r.expand(ctx, list) {
			ok := false
			if err == nil {
				c := checker{std: std, o: o, r: r, list: object}
				ok, err = c.run(ctx)
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if _, ok := errors.AsType[writeError](err); ok {
				return err
			}
			if err != nil {
				complain(std, object.name, err)
			}
			failed = failed || !ok
		}
	}
	if failed {
		return ErrFailed
	}
	return nil
}

// writeError means that results cannot be printed. It stops Run.
type writeError struct{ error }

func (e writeError) Error() string { return "write error: " + e.error.Error() }
func (e writeError) Unwrap() error { return e.error }

// checker verifies the files of one list and counts the outcomes.
type checker struct {
	std  Streams
	o    *Options
	r    *reader
	list object

	proper     int // lines that could be read
	improper   int
	unread     int // files that could not be read
	mismatched int
	matched    int
	ambiguous  error // of the first line with an unknown algorithm
}

// run reports whether the list passed. An error means that the list itself cannot be
// read.
func (c *checker) run(ctx context.Context) (bool, error) {
	in, err := c.r.content(ctx, c.list)
	if err != nil {
		return false, err
	}
	defer in.Close() // was only read
	var broke error
	work := ordered.Work[checkTask]{
		Width: c.o.Concurrency,
		Alone: func(t checkTask) bool { return t.object.isStream() },
		Do: func(t checkTask) checkTask {
			if t.improper == nil && t.err == nil {
				t.sums, t.err = c.r.sums(ctx, t.object, []string{t.line.Algorithm})
			}
			return t
		},
		Tell: func(turn []checkTask) error {
			for _, done := range turn {
				if err := c.tell(done); err != nil {
					return err
				}
			}
			return nil
		},
	}
	if err := work.Run(ctx, func(yield func(checkTask) bool) { broke = c.tasks(in, yield) }); err != nil {
		return false, err
	}
	if broke != nil {
		return false, broke
	}
	return c.conclude(), nil
}

// checkTask is a line of a list, and the result.
type checkTask struct {
	number   int
	improper error // why the line cannot be used
	line     digest.Line
	object   object
	err      error // why the object cannot be read
	sums     map[string]string
}

// tell prints and counts the outcome of one line.
func (c *checker) tell(done checkTask) error {
	if done.improper != nil {
		c.improper++
		if c.o.Warn {
			fmt.Fprintf(c.std.Err, "bucketsum sum: %s: %d: improperly formatted checksum line: %v\n", c.listName(), done.number, done.improper)
		}
		return nil
	}
	c.proper++
	line := done.line
	switch {
	case done.err != nil && c.o.IgnoreMissing && isMissing(done.err):
		return nil
	case done.err != nil:
		complain(c.std, line.Name, done.err)
		c.unread++
		return c.print(line.Name, "FAILED open or read")
	case done.sums[line.Algorithm] != line.Value:
		c.mismatched++
		return c.print(line.Name, "FAILED")
	default:
		c.matched++
		if c.o.Quiet {
			return nil
		}
		return c.print(line.Name, "OK")
	}
}

func (c *checker) print(name, outcome string) error {
	if c.o.Status {
		return nil
	}
	// md5sum -c escapes a name only if it would break the line.
	if strings.Contains(name, "\n") {
		name = `\` + digest.EscapeName(name)
	}
	if _, err := io.WriteString(c.std.Out, name+": "+outcome+"\n"); err != nil {
		return writeError{err}
	}
	return nil
}

// conclude prints the counts and reports whether the list passed.
func (c *checker) conclude() bool {
	if c.proper == 0 {
		fmt.Fprintf(c.std.Err, "bucketsum sum: %s: no properly formatted checksum lines found", c.listName())
		if c.ambiguous != nil {
			fmt.Fprintf(c.std.Err, ": %v", c.ambiguous)
		}
		fmt.Fprintln(c.std.Err)
		return false
	}
	if !c.o.Status {
		warn := func(n int, one, many string) {
			switch {
			case n == 1:
				fmt.Fprintf(c.std.Err, "bucketsum sum: WARNING: 1 %s\n", one)
			case n > 1:
				fmt.Fprintf(c.std.Err, "bucketsum sum: WARNING: %d %s\n", n, many)
			}
		}
		warn(c.improper, "line is improperly formatted", "lines are improperly formatted")
		warn(c.unread, "listed file could not be read", "listed files could not be read")
		warn(c.mismatched, "computed checksum did NOT match", "computed checksums did NOT match")
		if c.o.IgnoreMissing && c.matched == 0 {
			fmt.Fprintf(c.std.Err, "bucketsum sum: %s: no file was verified\n", c.listName())
		}
	}
	return c.matched > 0 && c.unread == 0 && c.mismatched == 0 && (c.improper == 0 || !c.o.Strict)
}

// listName returns the name of the list in messages.
func (c *checker) listName() string {
	if c.list.file == "-" {
		return "standard input"
	}
	return visibleName(c.list.name)
}
