package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/md5sum"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/pass"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// verifyFlags are the flags of the command.
type verifyFlags struct {
	sweepFlags
	against   string
	html      string
	premis    string
	sample    flagvalue.Share
	olderThan flagvalue.Age
	rate      flagvalue.Rate
	budget    flagvalue.Size
	strict    bool
	chosen    bool // the user named algorithms
}

func newVerify(p process) *cobra.Command {
	var flags verifyFlags
	c := &cobra.Command{
		Use:   "verify [flags] [NAME=]BUCKET-URL...",
		Short: "read objects again, and compare them with their records",
		Long: `
verify reads every object again and compares its content with its record, and with the
claims of its store. It never changes an object. It needs no permission to write; with
it, --older-than and --budget keep the time of each successful check in the record. The
URL of a folder may be its path.

The states of objects are ok; mismatch (the version of the record, with other content);
stale (the record is of another version); no-record; orphan (a record without its
object); archived; and unreadable. Records of other layouts or algorithms than --record
and --algorithms say are not found.

With --inventory, records without an object are not found, nor are objects that came
after the list was made. An object that is gone by now has no row.

With --versions, every version has a row. Records are of the current versions only; the
others are compared with what their store states about them: ETag and stored checksums.
One about which it states nothing, as S3 does under a KMS key without checksums, is ok
when it could be read; it then has a reason, and no verified_at. Versions that are gone
by now have no row, and delete markers are no objects.

With --against, the states are ok, mismatch, missing (only in the list), new (not in the
list) and moved (in the list by another name, whose content is found nowhere else).
Names in the list are keys; those without --prefix are below it.

The exit status is 1 if any object is mismatch, stale, no-record, orphan, missing or
moved. Otherwise it is 2 if something could not be read or listed, verify was
interrupted, or --prefix or --include selects no object. Archived and new objects are reported; with --strict they count as
failures.`,
		Example: `
  bucketsum verify 's3://photos?region=eu-central-1'
  bucketsum verify --records-only --format json file:///srv/archive
  bucketsum verify --against MD5SUMS --prefix 2026/ --report fixity.html ./archive
  bucketsum verify --versions 's3://photos?region=eu-central-1'
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
	fs.StringVar(&flags.against, "against", "", "compare with this list, not with records: a file, the URL of an object, or - for standard input. Lines as md5sum and its relatives, OpenSSL and hashdeep print them, BagIt manifests, OCFL inventories, .sums of copyrite, rows of --format json")
	fs.StringVar(&flags.html, "report", "", "write a page of HTML to this file, with totals and what is not as it should be")
	fs.StringVar(&flags.premis, "premis", "", "write PREMIS 3 events (fixity check) to this file of XML")
	fs.BoolVar(&flags.strict, "strict", false, "archived objects, and those that are not in the list of --against, count as failures")
	flags.defineObjects(fs)
	flags.defineInventory(fs)
	flags.defineRecords(fs)
	flags.defineReading(fs)
	flags.defineParts(fs)
	flags.defineOutput(fs)
	c.RunE = func(c *cobra.Command, args []string) error {
		flags.chosen = c.Flags().Changed("algorithms")
		if err := flags.validate(args); err != nil {
			return usageError{err}
		}
		return runVerify(c.Context(), p, &flags)
	}
	return c
}

func runVerify(ctx context.Context, p process, f *verifyFlags) error {
	s := shown{strict: f.strict, sinks: f.files}
	if f.against != "" {
		if err := f.readList(ctx, p); err != nil {
			return cannotCheck(sweep.Verify, fmt.Errorf("--against %s: %w", shownName(f.against), err))
		}
		s.list = shownName(f.against)
	}
	return runSweep(ctx, p, &f.sweepFlags, s)
}

// readList reads the list of --against. The algorithms are those of the list, unless the user chose some.
func (f *verifyFlags) readList(ctx context.Context, p process) (err error) {
	in, err := md5sum.Open(ctx, p.stdin, f.BucketDrivers, f.against)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	o := f.Options
	if !f.chosen {
		o.Algorithms = nil
	}
	name := f.against
	if strings.Contains(name, "://") {
		name, _, _ = strings.Cut(name, "?")
	}
	r := pass.Reading{Name: name, Options: o, Strict: f.strict, Place: f.place()}
	err = pass.Look(ctx, f.Config, func(has func(string) (bool, error)) (err error) {
		r.Has = has
		f.Against, err = pass.ReadList(in, r)
		return err
	})
	if err != nil {
		return err
	}
	for _, note := range f.Against.Notes {
		fmt.Fprintf(p.stderr, "bucketsum verify: --against %s: %s\n", shownName(f.against), readable.Text(note))
	}
	f.Options.Algorithms = f.Against.Algorithms
	if f.Options.RecordsOnly {
		f.BucketConfig.Algorithms = f.Against.Algorithms
	}
	return nil
}

// place returns the key of the list if it is in the bucket; else an empty string.
func (f *verifyFlags) place() string {
	bucket, _, _ := strings.Cut(f.Buckets[0].URL, "?")
	list, _, _ := strings.Cut(f.against, "?")
	key, ok := strings.CutPrefix(list, strings.TrimSuffix(bucket, "/")+"/")
	if !ok {
		return ""
	}
	if plain, err := url.PathUnescape(key); err == nil {
		key = plain
	}
	return key
}

// shownName returns the name of a list without secrets.
func shownName(list string) string {
	if strings.Contains(list, "://") {
		list = redact.URL(list)
	}
	return readable.Name(list)
}

// files returns the sinks of --report and --premis.
func (f *verifyFlags) files(about output.Pass) (sinks []output.Sink, err error) {
	for _, o := range []struct {
		flag, path string
		open       func(string, output.Pass) (output.Sink, error)
	}{{"--report", f.html, output.Page}, {"--premis", f.premis, output.PREMIS}} {
		if o.path == "" {
			continue
		}
		s, fault := o.open(o.path, about)
		if fault != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", o.flag, fault), output.Sinks(sinks).Close(output.End{At: time.Now(), Stopped: "it could not begin"}))
		}
		sinks = append(sinks, s)
	}
	return sinks, nil
}

// validate completes the Config, and returns all mistakes.
func (f *verifyFlags) validate(args []string) error {
	f.Options.Sample, f.Rate, f.Options.Budget = float64(f.sample), int64(f.rate), int64(f.budget)
	if f.Options.OlderThan = time.Duration(f.olderThan); f.olderThan > 0 {
		f.Options.VerifiedBefore = time.Now().Add(-f.Options.OlderThan).UTC()
	}
	faults := []error{f.sweepFlags.validate(args)}
	if f.against != "" {
		given := map[string]bool{
			"--older-than": f.olderThan > 0, "--budget": f.Options.Budget > 0, "--newer": !f.Options.Newer.IsZero(), "--larger": f.Options.Larger > 0,
		}
		for _, flag := range slices.Sorted(maps.Keys(given)) {
			if given[flag] {
				faults = append(faults, fmt.Errorf("%s: with --against, every object of the list has to be looked at", flag))
			}
		}
		if len(args) > 1 {
			faults = append(faults, errors.New("--against: a list is compared with one bucket"))
		}
		if f.against == "-" && f.Inventory.Name == "-" {
			faults = append(faults, errors.New("--against: standard input is that of --inventory"))
		}
		if f.Shards > 0 {
			faults = append(faults, errors.New("--against: one process has to see all objects: leave out --shards"))
		}
	}
	if f.Options.RecordsOnly {
		given := map[string]bool{"--rate": f.Rate > 0, "--budget": f.Options.Budget > 0}
		for _, flag := range slices.Sorted(maps.Keys(given)) {
			if given[flag] {
				faults = append(faults, fmt.Errorf("%s: it bounds what is read, and --records-only reads nothing", flag))
			}
		}
	}
	if f.Options.Versions {
		faults = append(faults, f.validateVersions()...)
	}
	return errors.Join(faults...)
}

// validateVersions returns what --versions cannot be together with.
func (f *verifyFlags) validateVersions() (faults []error) {
	const lacks = "%s: only current versions have a record, and the others would not be checked: leave it out, or leave out --versions"
	given := map[string]bool{"--records-only": f.Options.RecordsOnly, "--older-than": f.olderThan > 0, "--budget": f.Options.Budget > 0}
	for _, flag := range slices.Sorted(maps.Keys(given)) {
		if given[flag] {
			faults = append(faults, fmt.Errorf(lacks, flag))
		}
	}
	if f.against != "" {
		faults = append(faults, errors.New("--against: a list has one checksum for each key and does not say of which version: leave it out, or leave out --versions"))
	}
	if f.Options.IgnoreClaims {
		faults = append(faults, errors.New("--native-checks off: older versions are compared with nothing else: leave it out, or leave out --versions"))
	}
	return faults
}
