package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/pass"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// backfillFlags are the flags of the command.
type backfillFlags struct {
	sweepFlags
	above, every flagvalue.Size
	dryRun       bool
	prices       []string
}

func newBackfill(p process) *cobra.Command {
	var flags backfillFlags
	c := &cobra.Command{
		Use:   "backfill [flags] [NAME=]BUCKET-URL...",
		Short: "write the checksum of every object that has none, beside it",
		Long: `
backfill lists the buckets and reads each object that has no current record, as serve
does for events. Objects that have their record are not read: a second run reads
nothing. NAME is the name that events use for the bucket, as in serve --bucket. The URL
of a folder may be its path.

After an interruption, run the same command again. Objects larger than
--checkpoint-above resume from their last checkpoint. serve and local may work on the
same bucket at the same time, and so may other backfills.

With --inventory, only the objects of the list are looked at. One that is gone by now is
no failure.

--dry-run looks at the records and says what would be read, with which requests, and
what they cost. It reads no object and writes nothing.

With --reports, what was found is kept: the same command resumes the pass, and --shards
or --queue divide it. Start workers with serve --reports before backfill --queue.

Archived objects are listed, and are not a failure. The exit status is 0 if every
other object has its current record, and 1 if some failed or backfill was
interrupted.`,
		Example: `
  bucketsum backfill --dry-run 's3://photos?region=eu-central-1'
  bucketsum backfill 's3://photos?region=eu-central-1' 's3://films?region=eu-central-1'
  bucketsum backfill --queue awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects --reports 's3://audits?region=eu-central-1' 's3://photos?region=eu-central-1'
  bucketsum backfill --algorithms md5,sha256 --include '*.raw' ./archive`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags.Command = sweep.Backfill
	fs := c.Flags()
	fs.BoolVar(&flags.dryRun, "dry-run", false, "say what would be done, and what it costs; do nothing")
	fs.StringArrayVar(&flags.prices, "price", nil, "NAME=USD for --dry-run: list, get, put (1,000 requests), transfer, retrieve.CLASS (1 GB), get.CLASS; may be repeated. Without it, the list prices of us-east-1 for s3://")
	flags.defineObjects(fs)
	flags.defineInventory(fs)
	flags.defineRecords(fs)
	flags.defineReading(fs)
	fs.Var(flagvalue.Either(&flags.Options.RecordMismatches, "fail", "record"), "on-mismatch", "what happens to an object that contradicts a claim of its store: fail (it gets no record) or record")
	flags.above, flags.every = 4<<30, 2<<30
	fs.Var(&flags.above, "checkpoint-above", "objects larger than this, for example 4GiB, have checkpoints, from which work resumes after an interruption")
	fs.Var(&flags.every, "checkpoint-every", "bytes between two checkpoints; 0: no checkpoints")
	flags.defineParts(fs)
	flags.defineOutput(fs)
	c.RunE = func(c *cobra.Command, args []string) error {
		prices, err := pass.ParsePrices(flags.prices)
		if err != nil {
			err = fmt.Errorf("--price: %w", err)
		}
		flags.Resume.Above, flags.Resume.Every = int64(flags.above), int64(flags.every)
		if err := errors.Join(flags.validate(args), err); err != nil {
			return usageError{err}
		}
		if flags.dryRun {
			return runEstimate(c.Context(), p, &flags, prices)
		}
		return runSweep(c.Context(), p, &flags.sweepFlags, shown{})
	}
	return c
}

func runEstimate(ctx context.Context, p process, f *backfillFlags, prices pass.Prices) (err error) {
	open, err := pass.Open(ctx, f.config(p))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	e, err := open.Estimate(ctx, prices)
	if err != nil {
		return err
	}
	if f.json {
		return json.NewEncoder(p.stdout).Encode(e)
	}
	return e.Print(p.stdout)
}
