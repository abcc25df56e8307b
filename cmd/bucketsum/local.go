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
own state in DIR/` + filebucket.Hidden + `.`,
		Example: `
  bucketsum local ./inbox
  bucketsum local --algorithms md5,sha256 --record '{dir}/.sums/{base}.{alg}' /srv/photos
  curl -F file=@README.md localhost:5000/md5`,
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
	}
	flags.define(c.Flags(), "127.0.0.1:5000", slog.LevelWarn, 10*time.Second)
	c.Flags().DurationVar(&settle, "settle", 500*time.Millisecond, "a file that has not changed for so long is complete")
	c.RunE = func(c *cobra.Command, args []string) error {
		return runLocal(c.Context(), p, flags, settle, c.Flags().Changed("log-level"), args)
	}
	return c
}

func runLocal(ctx context.Context, p process, flags workerFlags, settle time.Duration, workerLog bool, args []string) error {
	faults := []error{flags.validate()}
	if len(args) > 1 {
		faults = append(faults, fmt.Errorf("unexpected argument %q: local takes one folder", args[1]))
	}
	if settle < 0 {
		faults = append(faults, fmt.Errorf("--settle: %s is negative", settle))
	}
	if err := errors.Join(faults...); err != nil {
		return usageError{err}
	}
	dir := "inbox"
	if len(args) == 1 {
		dir = args[0]
	}
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
