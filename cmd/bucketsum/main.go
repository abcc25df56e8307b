// Command bucketsum writes the checksum of every object beside it: as an event-driven
// worker on a bucket and a queue, or as the whole flow on one machine.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/memory"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // the work failed in part or whole; stderr says how
	exitUsage  = 2 // the command line or the environment is wrong; no work was done
)

func main() {
	os.Exit(run())
}

func run() int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, stop := untilSignal(signals, endBy)
	defer stop()
	memory.Limit()
	if len(os.Args) > 1 && slices.Contains([]string{"backfill", "local", "manifest", "serve", "sum", "verify"}, os.Args[1]) {
		memory.LeaveGarbage() // the other commands leave none
	}
	if _, err := md5lanes.Default(); err != nil {
		fmt.Fprintf(os.Stderr, "bucketsum: %v\n", err)
		return exitUsage
	}
	p := process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, environ: os.Environ()}
	return dispatch(ctx, p, os.Args[1:])
}

// process is what a command gets from the operating system.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	environ        []string // what getenv reads
	args           []string // without the name of the program
}

// dispatch runs the command that the arguments name and returns the exit status.
func dispatch(ctx context.Context, p process, args []string) int {
	given := slices.Clone(args)
	p.args = args
	getenv := p.getenv
	p.getenv = func(name string) string {
		value := getenv(name)
		given = append(append(given, value), strings.Fields(value)...)
		return value
	}
	root := newRoot(p)
	root.SetArgs(args)
	c, err := root.ExecuteContextC(ctx)
	// An error may quote what was given, also where it takes no URL.
	return exitStatus(p, c, redact.Values(err, given))
}

// usageError is a mistake in flags, arguments or environment.
type usageError struct{ error }

func usageErrorf(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// flagError returns the usageError of an error of pflag.
func flagError(c *cobra.Command, err error) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usageErrorf("--%s: %w", invalid.GetFlag().Name, flagvalue.Fault(err))
	}
	if without, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usageErrorf("--%s needs a value", without.GetFlag().Name)
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag(c.Flags(), unknown)
	}
	return usageError{err}
}

func unknownFlag(fs *pflag.FlagSet, err *pflag.NotExistError) error {
	given, meant := "--"+err.GetSpecifiedName(), ""
	var names []string
	fs.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden || !flagvalue.HasVariable(f.Name) {
			names = append(names, "--"+f.Name)
		}
	})
	if letters := err.GetSpecifiedShortnames(); letters != "" {
		given = "-" + letters
		if slices.Contains(names, "-"+given) { // as Go's own flags are written
			meant = "; did you mean -" + given + "?"
		}
	} else {
		meant = suggest.Or(given, names)
	}
	if name := strings.TrimLeft(given, "-"); fs.Lookup("check") != nil && slices.Contains(digest.Computable(), name) {
		meant = "; did you mean --algorithms " + name + "?"
	}
	return usageErrorf("unknown flag %s%s", given, meant)
}

// errUsageShown ends a command with exitUsage after it has printed how to use it.
var errUsageShown = errors.New("the usage is printed already")

// errVersionShown ends a command with exitOK after it has printed the version.
var errVersionShown = errors.New("the version is printed already")

// errReported ends a command with exitFailed after it has printed what went wrong.
var errReported = errors.New("the failures are printed already")

// exitStatus prints a command's error to stderr and returns the exit status.
func exitStatus(p process, c *cobra.Command, err error) int {
	var usage usageError
	exit, _ := errors.AsType[exitError](err)
	switch {
	case err == nil, errors.Is(err, errVersionShown):
		return exitOK
	case errors.Is(err, errReported):
		return exitFailed
	case errors.Is(err, errUsageShown):
		return exitUsage
	case errors.As(err, &usage):
		complain(p, c, err)
		return exitUsage
	case exit.status != 0 && err.Error() == "":
		return exit.status
	}
	faults := strings.Split(err.Error(), "\n")
	for i, f := range faults {
		faults[i] = flagvalue.Given(c.Flags(), f)
	}
	fmt.Fprintf(p.stderr, "%s: %s\n", c.CommandPath(), strings.Join(faults, "; ")) // one line of a log
	return cmp.Or(exit.status, exitFailed)
}

// complain prints each mistake of a joined error, and where help is. The lines of a list are indented.
func complain(p process, c *cobra.Command, err error) {
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, " ") {
			line = c.CommandPath() + ": " + flagvalue.Given(c.Flags(), line)
		}
		fmt.Fprintln(p.stderr, line)
	}
	fmt.Fprintf(p.stderr, "Help: %s --help\n", c.CommandPath())
}
