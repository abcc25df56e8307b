// Command bucketsum writes the checksum of every object beside it: as an event-driven
// worker on a bucket and a queue, or as the whole flow on one machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/memory"
	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
	"github.com/bucketsum/bucketsum/pipeline/redact"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal drains. A second one ends the process at once, by the default
	// action, but not within the first second: timeout(1) and some process managers
	// signal both the process and its group.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	memory.Limit()
	if len(os.Args) > 1 && slices.Contains([]string{"backfill", "local", "manifest", "serve", "sum", "verify"}, os.Args[1]) {
		memory.LeaveGarbage() // the other commands leave none
	}
	if _, err := md5lanes.Default(); err != nil {
		fmt.Fprintf(os.Stderr, "bucketsum: %v\n", err)
		return exitUsage
	}
	p := process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	return dispatch(ctx, p, os.Args[1:])
}

// process is what a command gets from the operating system.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
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
		err = fmt.Errorf("--%s: %w", invalid.GetFlag().Name, errors.Unwrap(err))
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if meant := similarFlags(c.Flags(), unknown.GetSpecifiedName()); len(meant) > 0 {
			err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(meant, " or "))
		}
	}
	return usageError{err}
}

// similarFlags returns the flags that a misspelt name may mean, as cobra does for
// commands.
func similarFlags(fs *pflag.FlagSet, name string) []string {
	names := cobra.Command{SuggestionsMinimumDistance: 2}
	fs.VisitAll(func(f *pflag.Flag) {
		names.AddCommand(&cobra.Command{Use: "--" + f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return names.SuggestionsFor("--" + name)
}

// errUsageShown ends a command with exitUsage after it has printed how to use it.
var errUsageShown = errors.New("the usage is printed already")

// errReported ends a command with exitFailed after it has printed what went wrong.
var errReported = errors.New("the failures are printed already")

// exitStatus turns a command's error into one line on stderr and the exit status.
func exitStatus(p process, c *cobra.Command, err error) int {
	var usage usageError
	if exit, ok := errors.AsType[exitError](err); ok {
		if text := oneLine(err); text != "" {
			fmt.Fprintf(p.stderr, "%s: %s\n", c.CommandPath(), text)
		}
		return exit.status
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errReported):
		return exitFailed
	case errors.Is(err, errUsageShown):
		return exitUsage
	case !c.HasParent():
		fmt.Fprintf(p.stderr, "bucketsum: %v\n", oneLine(err))
		return exitUsage
	case errors.As(err, &usage):
		fmt.Fprintf(p.stderr, "%s: %v; see %s --help\n", c.CommandPath(), oneLine(err), c.CommandPath())
		return exitUsage
	default:
		fmt.Fprintf(p.stderr, "%s: %v\n", c.CommandPath(), oneLine(err))
		return exitFailed
	}
}

// oneLine joins the lines of a joined error.
func oneLine(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
