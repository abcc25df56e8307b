// Command bucketsum puts the checksum of every object beside it: as an
// event-driven worker on a bucket and a queue, or the whole flow on one machine.
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

	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // the work failed in part or whole; stderr says how
	exitUsage  = 2 // the command line or the environment is wrong; nothing was done
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal drains; a second one finds the default action and ends
	// the process at once. Not in the first second: timeout(1) and some process
	// managers signal both the process and its group.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	limitMemory("/sys/fs/cgroup", "/proc/self/cgroup")
	if len(os.Args) > 1 && slices.Contains([]string{localCommand.name, serveCommand.name, sumCommand.name}, os.Args[1]) {
		leaveGarbage() // the others leave none
	}
	if _, err := md5lanes.Default(); err != nil {
		fmt.Fprintf(os.Stderr, "bucketsum: %v\n", err)
		return exitUsage
	}
	p := process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	return dispatch(ctx, p, os.Args[1:])
}

// process is what a command has from the operating system.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

// command is one subcommand of bucketsum.
type command struct {
	name     string
	args     string // what follows the flags, for the usage line
	summary  string // one line
	about    string // what the summary leaves out
	examples string
	// run does the command's work. A nil error is exit status 0; see exitStatus
	// for the others.
	run func(ctx context.Context, p process, c command, args []string) error
}

func commands() []command {
	return []command{localCommand, serveCommand, sumCommand, versionCommand}
}

func dispatch(ctx context.Context, p process, args []string) int {
	if len(args) == 0 {
		printOverview(p.stderr)
		return exitUsage
	}
	switch args[0] {
	case "help", "--help", "-h":
		if len(args) == 1 || args[0] != "help" {
			printOverview(p.stdout)
			return exitOK
		}
		args = []string{args[1], "--help"}
	case "--version":
		args[0] = versionCommand.name
	}
	names := make([]string, 0, len(commands()))
	for _, c := range commands() {
		if c.name == args[0] {
			return exitStatus(p, c, c.run(ctx, p, c, args[1:]))
		}
		names = append(names, c.name)
	}
	fmt.Fprintf(p.stderr, "bucketsum: unknown command %q; the commands are %s\n", args[0], strings.Join(names, ", "))
	return exitUsage
}

// usageError is a mistake in flags, arguments or environment.
type usageError struct{ error }

func usageErrorf(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// statusError ends the process with a status when everything has been said.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// exitStatus turns a command's error into what the user sees of it: one line on
// stderr, and the status.
func exitStatus(p process, c command, err error) int {
	var (
		status statusError
		usage  usageError
	)
	switch {
	case err == nil, errors.Is(err, errHelp):
		return exitOK
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &usage):
		fmt.Fprintf(p.stderr, "bucketsum %s: %v; see bucketsum %s --help\n", c.name, oneLine(usage), c.name)
		return exitUsage
	default:
		fmt.Fprintf(p.stderr, "bucketsum %s: %v\n", c.name, oneLine(err))
		return exitFailed
	}
}

// oneLine joins the lines of a joined error.
func oneLine(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

func printOverview(w io.Writer) {
	fmt.Fprint(w, "bucketsum puts the checksum of every object beside it.\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-22s %s\n", c.name+" "+c.args, c.summary)
	}
	fmt.Fprint(w, `
Try it:
  bucketsum local ./inbox        then copy a file into ./inbox

Every flag is an environment variable too: --drain-timeout is BUCKETSUM_DRAIN_TIMEOUT.
bucketsum COMMAND --help tells more.
`)
}
