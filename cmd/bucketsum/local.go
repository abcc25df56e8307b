package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/screen"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

func newLocal(p process) *cobra.Command {
	var (
		flags  workerFlags
		settle time.Duration
		yes    bool
	)
	c := &cobra.Command{
		Use:   "local [flags] [DIR]",
		Short: "run the whole flow on this machine: a file lands in DIR, its checksum appears beside it",
		Long: `
DIR is the bucket (default ./inbox, created if it is missing). A file that appears
or changes there becomes an event, as S3 sends it, on a queue in memory, and goes
through the same pipeline as on AWS. At the start, local sums all files that have
no current checksum. The next start continues any work that is not finished.

local does not follow symbolic links out of DIR. It skips a folder in DIR that has
been the DIR of another run: that one is a bucket of its own. bucketsum keeps its
own state in DIR/` + filebucket.Hidden + `. It leaves the folders of version control alone
(.git, .hg, .svn, .bzr, .jj, _darcs), unless an --include names them: --include '**'
--include .git.

A failure is told when it happens. When local ends it says what failed and what it
skipped: links, pipes, files that are excluded, records without their file.

Ctrl-C ends local when the files in work are done, which takes --drain-timeout at
most. It does not wait for files that take longer, or that have a checkpoint
(--checkpoint-above): the next start sums them. A second Ctrl-C stops at once.

At a terminal, local asks before it writes checksums into / or into your home folder.
Without one it needs --yes for /.`,
		Example: `
  bucketsum local ./inbox
  bucketsum local --algorithms md5,sha256 --record '{dir}/.sums/{base}.{alg}' /srv/photos
  curl -F file=@README.md localhost:5000/md5`,
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
	}
	flags.define(c.Flags(), "127.0.0.1:5000", slog.LevelWarn, 10*time.Second)
	c.Flags().BoolVar(&yes, "yes", false, "do not ask before writing checksums into / or into your home folder")
	c.Flags().DurationVar(&settle, "settle", 500*time.Millisecond, "a file that has not changed for so long is complete")
	c.RunE = func(c *cobra.Command, args []string) error {
		faults := []error{flags.checkpoints.validateQueue(app.LocalQueue), flags.validate()}
		if settle < 0 {
			faults = append(faults, fmt.Errorf("--settle: %s is negative", settle))
		}
		if err := errors.Join(faults...); err != nil {
			return usageError{err}
		}
		dir, err := localFolder(p, args, yes)
		if err != nil {
			return err
		}
		return runLocal(c.Context(), p, flags, settle, c.Flags().Changed("log-level"), dir)
	}
	return c
}

func runLocal(ctx context.Context, p process, flags workerFlags, settle time.Duration, workerLog bool, dir string) error {
	out := screen.New(p.stdout)
	log := flags.log.logger(out.Beside(p.stderr))
	if p.stderr == os.Stderr {
		slog.SetDefault(log) // of the libraries
	}
	worker := flags.Config
	worker.Drivers, worker.Log = queueDrivers(log), log
	err := app.Local(ctx, app.LocalConfig{
		Dir: dir, Settle: settle, Layout: flags.layout, Screen: out, Worker: worker, WorkerLog: workerLog,
	})
	if errors.Is(err, app.ErrIncomplete) {
		return errReported
	}
	return err
}

// localFolder returns the folder that the arguments of local name. A folder that is
// hardly meant needs a yes. Without a terminal, that is only the whole file system: the home of
// a service, or of a container's user, often is the folder with its data.
func localFolder(p process, args []string, yes bool) (string, error) {
	switch {
	case len(args) == 0:
		return "inbox", nil
	case len(args) > 1:
		return "", usageErrorf("unexpected argument %q: local takes one folder", args[1])
	case args[0] == "":
		return "", usageErrorf("DIR is empty, perhaps from a variable that is not set: name a folder, or name none for ./inbox")
	}
	if err := notLocal(args[0]); err != nil {
		return "", usageError{err}
	}
	what, err := app.Broad(args[0])
	if what == "" || yes || err != nil {
		return args[0], err
	}
	warning := fmt.Sprintf("%s is %s: a checksum would be written beside every file in it", args[0], what)
	if in, ok := p.stdin.(*os.File); !ok || !term.IsTerminal(int(in.Fd())) {
		if what != app.WholeFileSystem {
			return args[0], nil
		}
		return "", usageErrorf("%s; add --yes if you mean that", warning)
	}
	fmt.Fprintf(p.stderr, "%s.\nContinue? [y/N] ", warning)
	answer, _ := bufio.NewReader(p.stdin).ReadString('\n') // the end of the input is a no
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return "", errors.New("nothing was done")
	}
	return args[0], nil
}
