package md5sum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
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

func (e writeError) Error() string { return "write error: " + reasonOf(e.error) }
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
	respelled  string // how the first path of Windows was read

	// Those below belong to the goroutine that reads the list.
	remarks     []string              // what the user should know about the list
	assumptions []string              // which algorithms values were taken for
	unknown     []digest.UnknownError // that remarks have
	reason      error                 // why the first checksum that cannot be compared is improper
}

// mostRemarks bounds what is said about one list.
const mostRemarks = 20

// remark keeps a remark.
func (c *checker) remark(s string) {
	if len(c.remarks) < mostRemarks && !slices.Contains(c.remarks, s) {
		c.remarks = append(c.remarks, s)
	}
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
		Alone: func(t checkTask) bool { return slices.ContainsFunc(t.places, object.isStream) },
		Do: func(t checkTask) checkTask {
			if t.improper == nil && t.err == nil {
				c.compute(ctx, &t)
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

// compute reads the object of a task at the first place where there is one.
func (c *checker) compute(ctx context.Context, t *checkTask) {
	algorithms := slices.Sorted(maps.Keys(t.want))
	for i, place := range t.places {
		sums, err := c.r.sums(ctx, place, algorithms)
		if i == 0 || err == nil || !isMissing(err) {
			t.found, t.got, t.err = i, sums, err
		}
		if t.err == nil || !isMissing(err) {
			return
		}
	}
}

// tell prints and counts the outcome of one line.
func (c *checker) tell(done checkTask) error {
	if done.improper != nil {
		c.improper++
		if c.o.Warn {
			kind := ""
			if c.o.Chosen && len(c.o.Algorithms) == 1 {
				kind = digest.Tag(c.o.Algorithms[0]) + " "
			}
			fmt.Fprintf(c.std.Err, "bucketsum sum: %s: %d: improperly formatted %schecksum line: %v\n", c.listName(), done.number, kind, done.improper)
		}
		return nil
	}
	c.proper++
	if c.respelled == "" && done.found > 0 && !strings.HasSuffix(done.places[done.found].file, done.name) {
		c.respelled = fmt.Sprintf("names are paths of Windows; the first one, %s, was read as %s", visibleName(done.name), visibleName(done.places[done.found].file))
	}
	switch {
	case done.err != nil && c.o.IgnoreMissing && isMissing(done.err):
		return nil
	case done.err != nil:
		complain(c.std, done.name, done.err)
		c.unread++
		return c.print(done.name, "FAILED open or read")
	case !maps.Equal(done.got, done.want):
		c.mismatched++
		return c.print(done.name, "FAILED")
	default:
		c.matched++
		if c.o.Quiet {
			return nil
		}
		return c.print(done.name, "OK")
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
	if c.respelled != "" {
		c.remark(c.respelled)
	}
	if c.mismatched > 0 && c.matched == 0 { // one that matches proves them
		c.remarks = append(c.remarks, c.assumptions...)
	}
	if c.proper == 0 {
		if len(c.remarks) == 0 && c.reason != nil {
			c.remark(c.reason.Error())
		}
		fmt.Fprintf(c.std.Err, "bucketsum sum: %s: no properly formatted checksum lines found", c.listName())
		if len(c.remarks) > 0 {
			fmt.Fprintf(c.std.Err, ": %s", strings.Join(c.remarks, "; "))
		}
		fmt.Fprintln(c.std.Err)
		return false
	}
	if !c.o.Status && !c.o.Quiet {
		for _, remark := range c.remarks {
			fmt.Fprintf(c.std.Err, "bucketsum sum: %s: %s\n", c.listName(), remark)
		}
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
