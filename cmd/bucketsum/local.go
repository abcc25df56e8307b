package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/spf13/cobra"
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
	log := flags.log.logger(p.stderr)
	worker := flags.Config
	worker.Drivers, worker.Log = queueDrivers(log), log
	err := app.Local(ctx, app.LocalConfig{
		Dir: dir, Settle: settle, Layout: flags.layout, Out: p.stdout, Worker: worker, WorkerLog: workerLog,
	})
	if errors.Is(err, app.ErrIncomplete) {
		return errReported
	}
	return err
}
