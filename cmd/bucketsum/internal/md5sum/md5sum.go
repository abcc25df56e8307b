// Package md5sum prints and checks lists of checksums as md5sum and its relatives of
// GNU coreutils do: the same lines, the same messages, for files and for objects.
package md5sum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// Options say what Run does, as the options of md5sum do.
type Options struct {
	Algorithms []string // computed in one pass
	Chosen     bool     // the algorithms are the user's, not the default
	Tag        bool     // BSD-style lines
	Binary     bool     // an asterisk before names
	Text       bool     // no asterisk before names; excludes Tag
	Zero       bool     // NUL ends lines, names are not escaped

	Check         bool // verify the files that lists name
	IgnoreMissing bool
	Quiet         bool
	Status        bool
	Strict        bool
	Warn          bool

	Concurrency int               // files read at once
	Memory      *blobstore.Memory // of all that is read ahead
	Buckets     blobstore.Drivers // that URLs can name
}

// Streams are the standard streams of Run.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// ErrFailed means that something could not be read or did not match, which Run has
// printed already.
var ErrFailed = errors.New("some checksums failed")

// Validate sorts out the algorithms and returns everything that is wrong with the
// options and the names.
func (o *Options) Validate(names []string) error {
	var faults []error
	if o.Concurrency < 1 {
		faults = append(faults, fmt.Errorf("--concurrency: %d is less than 1", o.Concurrency))
	}
	for i, name := range o.Algorithms {
		o.Algorithms[i] = strings.TrimSpace(name)
	}
	if d, err := digest.New(o.Algorithms...); err != nil {
		faults = append(faults, fmt.Errorf("--algorithms: %w", err))
	} else {
		o.Algorithms = d.Algorithms()
	}
	for _, f := range []struct {
		name     string
		set      bool
		checking bool // it belongs to --check
	}{
		{"--tag", o.Tag, false},
		{"--binary", o.Binary, false},
		{"--text", o.Text, false},
		{"--zero", o.Zero, false},
		{"--ignore-missing", o.IgnoreMissing, true},
		{"--quiet", o.Quiet, true},
		{"--status", o.Status, true},
		{"--strict", o.Strict, true},
		{"--warn", o.Warn, true},
	} {
		switch {
		case f.set && f.checking && !o.Check:
			faults = append(faults, fmt.Errorf("%s has a meaning only with --check", f.name))
		case f.set && !f.checking && o.Check:
			faults = append(faults, fmt.Errorf("%s has no meaning with --check", f.name))
		}
	}
	if o.Tag && o.Text {
		faults = append(faults, errors.New("--tag and --text exclude each other"))
	}
	for _, name := range names {
		if err := schemes(o.Buckets.Schemes()).check(name); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// Run prints the checksums of what the names stand for or, with Check, verifies what
// the lists with these names say. No name stands for standard input. ErrFailed tells
// that a file failed; any other error ends all. Run ends soon after ctx does, though it
// may leave a read behind that hangs.
func Run(ctx context.Context, std Streams, o *Options, names []string) error {
	if len(names) == 0 {
		names = []string{"-"}
	}
	return interruptibly(ctx, func() (err error) {
		r := newReader(std.In, o.Memory, o.Buckets)
		defer func() { err = errors.Join(err, r.close()) }()
		if o.Check {
			return check(ctx, std, o, r, names)
		}
		return printSums(ctx, std, o, r, names)
	})
}

// grace is how long interrupted work may take to notice.
const grace = time.Second

// interruptibly does the work and ends early when ctx is done. Work that
// hangs where no context reaches, in a read from a terminal, a FIFO or a dead
// mount, is left to the end of the process.
func interruptibly(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(grace):
			err = context.Cause(ctx)
		}
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return errors.New("interrupted")
	}
	return err
}

// complain prints why something that the command goes on without failed.
func complain(std Streams, name string, err error) {
	fmt.Fprintf(std.Err, "bucketsum sum: %s: %s\n", visibleName(name), reasonOf(err))
}

// visibleName returns the name such that it stays on one line and cannot
// command the terminal.
func visibleName(name string) string {
	switch {
	case name == "":
		return "''"
	default:
		return readable.Name(name)
	}
}
