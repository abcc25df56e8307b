package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

var sumCommand = command{
	name:    "sum",
	args:    "[PATH-or-URL]...",
	summary: "print or check checksums of files and objects, as md5sum does",
	about: `
Prints what md5sum, sha256sum and their relatives print, or, with --check, reads
it and verifies the files it names. With no argument, or for -, standard input
is read. With several algorithms each file is read once and gets one BSD-style
line for each, which names its algorithm.

An argument with :// is the URL of an object; one that ends in / stands for all
objects under it, in lexical order and printed by their keys. file:///path/ is
a folder as a bucket. URLs are percent-encoded: a ? in a key is %3F, a # is %23,
a % is %25.

--check takes the algorithm of a BSD-style line from the line. For others it is
the one of --algorithms whose values have that length; without --algorithms the
length decides between md5, sha1, sha256 and sha512. With --algorithms, lines of
any other algorithm are not accepted.

The exit status is 1 if any file could not be read or did not match.`,
	examples: `
  bucketsum sum *.iso > MD5SUMS
  bucketsum sum --check MD5SUMS
  bucketsum sum --algorithms md5,sha256 backup.tar
  bucketsum sum file:///srv/inbox/photos/
  curl -s https://example.org/x | bucketsum sum -a sha256`,
	run: runSum,
}

// sumOptions are the flags of the command.
type sumOptions struct {
	algorithms []string
	chosen     bool // the algorithms are the user's, not the default
	tag        bool
	binary     bool
	text       bool
	zero       bool

	concurrency slots
	memory      byteSize

	check         bool
	ignoreMissing bool
	quiet         bool
	status        bool
	strict        bool
	warn          bool
}

func (o *sumOptions) flags(fs *pflag.FlagSet) {
	fs.StringSliceVarP(&o.algorithms, "algorithms", "a", digest.Names()[:1], "checksums to compute in one pass: "+strings.Join(digest.Names(), ", "))
	fs.BoolVar(&o.tag, "tag", false, "print BSD-style lines, which name the algorithm")
	fs.BoolVarP(&o.binary, "binary", "b", false, "mark names with an asterisk; the content is read alike")
	fs.BoolVarP(&o.text, "text", "t", false, "do not mark names (the default)")
	fs.BoolVarP(&o.zero, "zero", "z", false, "end lines with NUL, and do not escape names")
	o.concurrency = autoSlots
	fs.Var(&o.concurrency, "concurrency", "files read at once, at most; a disk that has to seek is fastest with 1")
	fs.Var(&o.memory, "memory", "what may be held of large objects that are read ahead, as 256MiB; auto: a quarter of the memory, at most 128MiB")
	fs.BoolVarP(&o.check, "check", "c", false, "read checksums from the arguments and verify them")
	fs.BoolVar(&o.ignoreMissing, "ignore-missing", false, "with --check: pass over files that do not exist")
	fs.BoolVar(&o.quiet, "quiet", false, "with --check: do not print OK for files that match")
	fs.BoolVar(&o.status, "status", false, "with --check: print nothing, the exit status tells")
	fs.BoolVar(&o.strict, "strict", false, "with --check: fail on improperly formatted lines too")
	fs.BoolVarP(&o.warn, "warn", "w", false, "with --check: tell which lines are improperly formatted")
}

// validate returns everything that is wrong, as a usageError.
func (o *sumOptions) validate() error {
	var faults []error
	if o.concurrency < 1 {
		faults = append(faults, fmt.Errorf("--concurrency: %d is less than 1", int(o.concurrency)))
	}
	for i, name := range o.algorithms {
		o.algorithms[i] = strings.TrimSpace(name)
	}
	if d, err := digest.New(o.algorithms...); err != nil {
		faults = append(faults, fmt.Errorf("--algorithms: %w", err))
	} else {
		o.algorithms = d.Algorithms()
	}
	for _, f := range []struct {
		name     string
		set      bool
		checking bool // it belongs to --check
	}{
		{"--tag", o.tag, false},
		{"--binary", o.binary, false},
		{"--text", o.text, false},
		{"--zero", o.zero, false},
		{"--ignore-missing", o.ignoreMissing, true},
		{"--quiet", o.quiet, true},
		{"--status", o.status, true},
		{"--strict", o.strict, true},
		{"--warn", o.warn, true},
	} {
		switch {
		case f.set && f.checking && !o.check:
			faults = append(faults, fmt.Errorf("%s has a meaning only with --check", f.name))
		case f.set && !f.checking && o.check:
			faults = append(faults, fmt.Errorf("%s has no meaning with --check", f.name))
		}
	}
	if o.tag && o.text {
		faults = append(faults, errors.New("--tag and --text exclude each other"))
	}
	if len(faults) > 0 {
		return usageError{errors.Join(faults...)}
	}
	return nil
}

func runSum(ctx context.Context, p process, c command, args []string) error {
	var o sumOptions
	fs := newFlags(c)
	o.flags(fs)
	names, err := parseFlags(p, c, fs, args)
	if err != nil {
		return err
	}
	o.chosen = fs.Changed("algorithms")
	if err := o.validate(); err != nil {
		return err
	}
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		if err := checkSumURL(name); err != nil {
			return usageError{err}
		}
	}
	return sumInterruptibly(ctx, func() (err error) {
		r := newSumReader(p.stdin, o.memory.memory())
		defer func() { err = errors.Join(err, r.close()) }()
		if o.check {
			return sumCheck(ctx, p, &o, r, names)
		}
		return sumPrint(ctx, p, &o, r, names)
	})
}

// sumTask is an argument to work on, or why that is not possible.
type sumTask struct {
	object sumObject
	err    error
}

// sumOutcome is what became of a task.
type sumOutcome struct {
	sumTask
	sums map[string]string // by algorithm
}

// sumPrint prints the checksums of what the arguments name.
func sumPrint(ctx context.Context, p process, o *sumOptions, r *sumReader, names []string) error {
	failed := false
	work := ordered[sumTask, sumOutcome]{
		width: int(o.concurrency),
		alone: func(t sumTask) bool { return t.object.isStream() },
		work: func(t sumTask) sumOutcome {
			done := sumOutcome{sumTask: t}
			if t.err == nil {
				done.sums, done.err = r.sums(ctx, t.object, o.algorithms)
			}
			return done
		},
		tell: func(turn []sumOutcome) error {
			var lines strings.Builder
			flush := func() error {
				if _, err := io.WriteString(p.stdout, lines.String()); err != nil {
					return writeError{err}
				}
				lines.Reset()
				return nil
			}
			for _, done := range turn {
				if done.object.listed && errors.Is(done.err, pipeline.ErrOwnRecord) {
					continue // a record is no object
				}
				if done.err != nil {
					if err := flush(); err != nil {
						return err
					}
					complain(p, done.object.name, done.err)
					failed = true
					continue
				}
				for _, algorithm := range o.algorithms {
					lines.WriteString(o.line(algorithm, done.sums[algorithm], done.object.name))
				}
			}
			return flush()
		},
	}
	err := work.run(ctx, func(yield func(sumTask) bool) {
		for _, name := range names {
			for object, err := range r.expand(ctx, name) {
				if !yield(sumTask{object, err}) {
					return
				}
			}
		}
	})
	if err != nil {
		return err
	}
	if failed {
		return statusError(exitFailed)
	}
	return nil
}

// line returns what is printed for one checksum.
func (o *sumOptions) line(algorithm, value, name string) string {
	// A plain line leaves it to the reader which of several algorithms it is of.
	tagged := o.tag || len(o.algorithms) > 1
	separator := "  "
	if o.binary {
		separator = " *"
	}
	switch {
	case tagged && o.zero:
		return strings.ToUpper(algorithm) + " (" + name + ") = " + value + "\x00"
	case tagged:
		return digest.FormatTag(algorithm, value, name)
	case o.zero:
		return value + separator + name + "\x00"
	default:
		// The first two spaces of a line are those before its name.
		return strings.Replace(digest.FormatLine(value, name), "  ", separator, 1)
	}
}

// sumGrace is how long interrupted work may take to notice.
const sumGrace = time.Second

// sumInterruptibly does the work and ends early when ctx is done. Work that
// hangs where no context reaches, in a read from a terminal, a FIFO or a dead
// mount, is left to the end of the process.
func sumInterruptibly(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(sumGrace):
			err = context.Cause(ctx)
		}
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return errors.New("interrupted")
	}
	return err
}

// complain prints why something that the command goes on without failed.
func complain(p process, name string, err error) {
	fmt.Fprintf(p.stderr, "bucketsum sum: %s: %s\n", visibleName(name), sumReason(err))
}

// visibleName returns the name such that it stays on one line and cannot
// command the terminal.
func visibleName(name string) string {
	switch {
	case name == "":
		return "''"
	default:
		return printable(name)
	}
}
