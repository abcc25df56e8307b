package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

var localCommand = command{
	name:    "local",
	args:    "[DIR]",
	summary: "the whole flow on this machine: a file lands in DIR, its checksum lies beside it",
	about: `
DIR is the bucket (default ./inbox, made if it is missing). Files that appear in
it or change become events on a queue in memory, as S3 sends them, and go through
the same pipeline as on AWS. What lies there without a current checksum is
summed at the start. What is not finished at the end, the next start does.

Symbolic links are not followed out of DIR. A folder in it on which local was run
by itself is left alone. What bucketsum must remember lies in
DIR/` + filebucket.Hidden + `.`,
	examples: `
  bucketsum local ./inbox
  bucketsum local --algorithms md5,sha256 --record '{dir}/.sums/{base}.{alg}' /srv/photos
  curl -F file=@README.md localhost:5000/md5`,
	run: runLocal,
}

func runLocal(ctx context.Context, p process, c command, args []string) (err error) {
	var (
		config workerConfig
		settle time.Duration
	)
	fs := newFlags(c)
	config.flags(fs, "127.0.0.1:5000", "warn", 10*time.Second)
	fs.DurationVar(&settle, "settle", 500*time.Millisecond, "how long a file must not change to count as completely written")
	rest, err := parseFlags(p, c, fs, args)
	if err != nil {
		return err
	}
	faults := []error{config.validate()}
	if len(rest) > 1 {
		faults = append(faults, fmt.Errorf("unexpected argument %q: local takes one folder", rest[1]))
	}
	if settle < 0 {
		faults = append(faults, fmt.Errorf("--settle: %s is negative", settle))
	}
	if err := errors.Join(faults...); err != nil {
		return usageError{err}
	}
	dir := "inbox"
	if len(rest) == 1 {
		dir = rest[0]
	}

	log := config.log.logger(p.stderr)
	worker := config.worker()
	worker.Drivers, worker.Log = drivers(log), log
	err = app.Local(ctx, app.LocalConfig{
		Dir: dir, Settle: settle, Layout: config.layout, Out: p.stdout, Worker: worker, WorkerLog: fs.Changed("log-level"),
	})
	if errors.Is(err, app.ErrIncomplete) {
		return statusError(exitFailed)
	}
	return err
}
