package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// verifyFlags are the flags of the command.
type verifyFlags struct {
	sweepFlags
	against   string
	sample    flagvalue.Share
	olderThan flagvalue.Age
	rate      flagvalue.Rate
	budget    flagvalue.Size
	strict    bool
}

func newVerify(p process) *cobra.Command {
	var flags verifyFlags
	c := &cobra.Command{
		Use:   "verify [flags] [NAME=]BUCKET-URL...",
		Short: "read objects again, and compare them with their records",
		Long: `
verify reads every object again and compares its content with its record, and with the
claims of its store. It never changes an object. It needs no permission to write; with
it, --older-than and --budget keep the time of each successful check in the record.

The states of objects are ok; mismatch (the version of the record, with other content);
stale (the record is of another version); no-record; orphan (a record without its
object); archived; and unreadable. Records of other layouts or algorithms than --record
and --algorithms say are not found.

The exit status is 1 if any object is mismatch, stale, no-record or orphan. Otherwise it
is 2 if something could not be read or listed, or verify was interrupted. Archived
objects are reported; with --strict they count as failures.`,
		Example: `
  bucketsum verify 's3://photos?region=eu-central-1'
  bucketsum verify --records-only --format json file:///srv/archive
  bucketsum verify --older-than 90d --budget 1TiB --rate 200MiB/s 's3://photos?region=eu-central-1'`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags.Command = sweep.Verify
	fs := c.Flags()
	fs.BoolVar(&flags.Options.RecordsOnly, "records-only", false, "compare versions, sizes and claims with the records; read no object")
	fs.Var(&flags.sample, "sample", "verify this share of the objects, for example 5%; the keys decide which, so that each run verifies the same ones")
	fs.Var(&flags.olderThan, "older-than", "verify only objects whose last successful check is older than this, for example 90d or 36h")
	fs.Var(&flags.budget, "budget", "read about this much, for example 1TiB: the objects whose last check is the longest ago")
	fs.Var(&flags.rate, "rate", "read at most this much in a second, for example 200MiB/s")
	fs.BoolVar(&flags.strict, "strict", false, "archived objects, and those that are not in the list of --against, count as failures")
	flags.defineObjects(fs)
	flags.defineRecords(fs)
	flags.defineReading(fs)
	flags.defineOutput(fs)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := flags.validate(args); err != nil {
			return usageError{err}
		}
		return runSweep(c.Context(), p, &flags.sweepFlags, shown{strict: flags.strict})
	}
	return c
}

// validate completes the Config, and returns all mistakes.
func (f *verifyFlags) validate(args []string) error {
	f.Options.Sample, f.Rate, f.Budget = float64(f.sample), int64(f.rate), int64(f.budget)
	if f.olderThan > 0 {
		f.Options.VerifiedBefore = time.Now().Add(-time.Duration(f.olderThan)).UTC()
	}
	faults := []error{f.sweepFlags.validate(args)}
	if f.Options.RecordsOnly {
		for flag, given := range map[string]bool{"--rate": f.Rate > 0, "--budget": f.Budget > 0} {
			if given {
				faults = append(faults, fmt.Errorf("%s: it bounds what is read, and --records-only reads nothing", flag))
			}
		}
	}
	return errors.Join(faults...)
}
