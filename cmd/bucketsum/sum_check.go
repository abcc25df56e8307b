package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// sumLineLimit is how long a line of a checksum file may be, in bytes. What is
// longer holds no name that a file could have.
const sumLineLimit = 1 << 20

// sumCheck verifies the files that checksum files name.
func sumCheck(ctx context.Context, p process, o *sumOptions, r *sumReader, lists []string) error {
	failed := false
	for _, list := range lists {
		for object, err := range r.expand(ctx, list) {
			ok := false
			if err == nil {
				c := checker{p: p, o: o, r: r, list: object}
				ok, err = c.run(ctx)
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if werr := (writeError{}); errors.As(err, &werr) {
				return err
			}
			if err != nil {
				complain(p, object.name, err)
			}
			failed = failed || !ok
		}
	}
	if failed {
		return statusError(exitFailed)
	}
	return nil
}

// writeError: what was found out cannot be printed, so that going on is in vain.
type writeError struct{ error }

func (e writeError) Error() string { return "write error: " + e.error.Error() }
func (e writeError) Unwrap() error { return e.error }

// checker verifies what one checksum file names, and counts.
type checker struct {
	p    process
	o    *sumOptions
	r    *sumReader
	list sumObject

	proper     int // lines that could be read
	improper   int
	unread     int // files that could not be read
	mismatched int
	matched    int
	ambiguous  error // why the first line whose algorithm is not known was refused
}

// run reports whether everything that counts matched. An error is one of the
// checksum file itself.
func (c *checker) run(ctx context.Context) (bool, error) {
	in, err := c.r.content(ctx, c.list)
	if err != nil {
		return false, err
	}
	defer in.Close() // was only read
	var broke error
	work := ordered[checkTask, checkOutcome]{
		width: int(c.o.concurrency),
		alone: func(t checkTask) bool { return t.object.isStream() },
		work: func(t checkTask) checkOutcome {
			done := checkOutcome{checkTask: t}
			if t.improper == nil && t.err == nil {
				done.sums, done.err = c.r.sums(ctx, t.object, []string{t.line.Algorithm})
			}
			return done
		},
		tell: func(turn []checkOutcome) error {
			for _, done := range turn {
				if err := c.tell(done); err != nil {
					return err
				}
			}
			return nil
		},
	}
	if err := work.run(ctx, func(yield func(checkTask) bool) { broke = c.tasks(in, yield) }); err != nil {
		return false, err
	}
	if broke != nil {
		return false, broke
	}
	return c.conclude(), nil
}

// checkTask is a line of a checksum file.
type checkTask struct {
	number   int
	improper error // why it cannot be used
	line     digest.Line
	object   sumObject
	err      error // why its name cannot be one of an object
}

// checkOutcome is what became of it.
type checkOutcome struct {
	checkTask
	sums map[string]string // by algorithm
}

// tasks yields the lines of a checksum file but for empty ones and comments. An
// error is one of the file.
func (c *checker) tasks(in io.Reader, yield func(checkTask) bool) error {
	var (
		lines  = bufio.NewReaderSize(in, 64<<10)
		parser digest.Parser
	)
	for number := 1; ; number++ {
		s, err := readSumLine(lines)
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return err
		}
		if err == nil && (strings.HasPrefix(s, "#") || strings.TrimSuffix(s, "\r") == "") {
			continue
		}
		before := parser
		t := checkTask{number: number, improper: err}
		if err == nil {
			t.line, t.improper = c.parse(&parser, s)
		}
		if t.improper != nil {
			parser = before
		} else {
			t.object, t.err = parseSumName(t.line.Name)
		}
		if !yield(t) {
			return nil
		}
	}
}

// parse reads a line and finds out its algorithm.
func (c *checker) parse(parser *digest.Parser, s string) (digest.Line, error) {
	line, err := parser.Parse(s)
	if err != nil {
		return line, err
	}
	if line.Name == "-" && c.list.file == "-" {
		return line, errors.New("standard input cannot hold its own checksum")
	}
	line.Algorithm, err = c.o.algorithm(line)
	if ambiguous := (ambiguousError{}); errors.As(err, &ambiguous) && c.ambiguous == nil {
		c.ambiguous = err
	}
	return line, err
}

// tell prints how one file compares, and counts it.
func (c *checker) tell(done checkOutcome) error {
	if done.improper != nil {
		c.improper++
		if c.o.warn {
			fmt.Fprintf(c.p.stderr, "bucketsum sum: %s: %d: improperly formatted checksum line: %v\n", c.listName(), done.number, done.improper)
		}
		return nil
	}
	c.proper++
	line := done.line
	switch {
	case done.err != nil && c.o.ignoreMissing && isMissing(done.err):
		return nil
	case done.err != nil:
		complain(c.p, line.Name, done.err)
		c.unread++
		return c.print(line.Name, "FAILED open or read")
	case done.sums[line.Algorithm] != line.Value:
		c.mismatched++
		return c.print(line.Name, "FAILED")
	default:
		c.matched++
		if c.o.quiet {
			return nil
		}
		return c.print(line.Name, "OK")
	}
}

func (c *checker) print(name, outcome string) error {
	if c.o.status {
		return nil
	}
	// As md5sum -c, which escapes only what would break the line.
	if strings.Contains(name, "\n") {
		name = `\` + digest.EscapeName(name)
	}
	if _, err := io.WriteString(c.p.stdout, name+": "+outcome+"\n"); err != nil {
		return writeError{err}
	}
	return nil
}

// conclude prints what was counted and reports whether all is well.
func (c *checker) conclude() bool {
	if c.proper == 0 {
		fmt.Fprintf(c.p.stderr, "bucketsum sum: %s: no properly formatted checksum lines found", c.listName())
		if c.ambiguous != nil {
			fmt.Fprintf(c.p.stderr, ": %v", c.ambiguous)
		}
		fmt.Fprintln(c.p.stderr)
		return false
	}
	if !c.o.status {
		warn := func(n int, one, many string) {
			switch {
			case n == 1:
				fmt.Fprintf(c.p.stderr, "bucketsum sum: WARNING: 1 %s\n", one)
			case n > 1:
				fmt.Fprintf(c.p.stderr, "bucketsum sum: WARNING: %d %s\n", n, many)
			}
		}
		warn(c.improper, "line is improperly formatted", "lines are improperly formatted")
		warn(c.unread, "listed file could not be read", "listed files could not be read")
		warn(c.mismatched, "computed checksum did NOT match", "computed checksums did NOT match")
		if c.o.ignoreMissing && c.matched == 0 {
			fmt.Fprintf(c.p.stderr, "bucketsum sum: %s: no file was verified\n", c.listName())
		}
	}
	return c.matched > 0 && c.unread == 0 && c.mismatched == 0 && (c.improper == 0 || !c.o.strict)
}

// listName is what messages call the checksum file.
func (c *checker) listName() string {
	if c.list.file == "-" {
		return "standard input"
	}
	return visibleName(c.list.name)
}

var errLongLine = errors.New("the line is too long")

// readSumLine returns the next line without its newline; the last one need not
// have one. io.EOF: there is none. errLongLine: it was longer than
// sumLineLimit and passed over.
func readSumLine(r *bufio.Reader) (string, error) {
	var line []byte
	for long := false; ; {
		part, err := r.ReadSlice('\n')
		if long = long || len(line)+len(part) > sumLineLimit; !long {
			line = append(line, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && (long || len(line) > 0):
			// The last line; the next call finds the end again.
		case err != nil:
			return "", err
		}
		if long {
			return "", errLongLine
		}
		return string(bytes.TrimSuffix(line, []byte("\n"))), nil
	}
}

// candidates returns which algorithms a checksum line without a tag may be of.
func (o *sumOptions) candidates() []string {
	if o.chosen {
		return o.algorithms
	}
	return []string{"md5", "sha1", "sha256", "sha512"}
}

// algorithm returns the algorithm of a checksum line.
func (o *sumOptions) algorithm(line digest.Line) (string, error) {
	if line.Algorithm != "" {
		if o.chosen && !slices.Contains(o.algorithms, line.Algorithm) {
			return "", fmt.Errorf("%s is not one of --algorithms", line.Algorithm)
		}
		return line.Algorithm, nil
	}
	var fitting []string
	for _, name := range o.candidates() {
		if digest.Valid(name, line.Value) {
			fitting = append(fitting, name)
		}
	}
	if len(fitting) != 1 {
		return "", ambiguousError{len(line.Value), fitting}
	}
	return fitting[0], nil
}

// ambiguousError: the length of a value does not tell its algorithm.
type ambiguousError struct {
	digits  int
	fitting []string
}

func (e ambiguousError) Error() string {
	if len(e.fitting) > 1 {
		return fmt.Sprintf("a value of %d digits may be of %s; name one with --algorithms", e.digits, strings.Join(e.fitting, " or "))
	}
	var of []string
	for _, name := range digest.Names() {
		if 2*digest.Size(name) == e.digits {
			of = append(of, name)
		}
	}
	return fmt.Sprintf("a value of %d digits needs one of --algorithms %s", e.digits, strings.Join(of, ", "))
}
