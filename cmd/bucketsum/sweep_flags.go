package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/pass"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// sweepFlags are the flags that the commands share which work on all objects of buckets.
type sweepFlags struct {
	pass.Config // flags set these fields directly
	record      string
	store       storeFlags
	concurrency flagvalue.Slots
	memory      flagvalue.Memory
	larger      flagvalue.Size
	newer       flagvalue.Time
	json, quiet bool
	log         logFlags
}

// defineObjects defines which objects a command is about.
func (c *sweepFlags) defineObjects(fs *pflag.FlagSet) {
	fs.StringVar(&c.Options.Prefix, "prefix", "", "only objects whose key begins with this; nothing else is listed")
	fs.StringArrayVar(&c.Options.Include, "include", nil, "only objects whose key matches this glob, for example 'photos/**/*.raw'; without a slash it is the name of an object or folder at any depth, for example '*.raw'; may be repeated")
	fs.StringArrayVar(&c.Options.Exclude, "exclude", nil, "leave out objects whose key matches this glob, with or without a slash as in --include; may be repeated")
	fs.Var(&c.newer, "newer", "only objects that were modified after this time, for example 2026-11-30 or 2026-11-30T13:45:00Z")
	fs.Var(&c.larger, "larger", "only objects that are larger than this, for example 1MiB")
	fs.BoolVar(&c.Options.Versions, "versions", false, "every version of each object, not only the current one; the others are compared with what their store states about them (S3)")
	if c.Command != sweep.Verify {
		_ = fs.MarkHidden("versions") // it is there to be refused with a reason
	}
}

// defineInventory defines that a list takes the place of a listing.
func (c *sweepFlags) defineInventory(fs *pflag.FlagSet) {
	fs.StringVar(&c.Inventory.Name, "inventory", "", "do not list the bucket: take the objects of this list. A file, the URL of an object, or - for standard input: the manifest.json of an inventory of S3, Google or Azure; a .csv of S3 Batch Operations; or a list of keys. With --queue it is a URL in a --bucket of the workers, or in the bucket of --reports")
	fs.BoolVarP(&c.Inventory.Null, "null", "0", false, "the keys of --inventory end with NUL, as find -print0 writes them")
}

// defineRecords defines where buckets and their records are, and how they are used.
func (c *sweepFlags) defineRecords(fs *pflag.FlagSet) {
	fs.StringSliceVar(&c.Options.Algorithms, "algorithms", []string{"md5"}, "checksums of the records: "+strings.Join(digest.Names(), ", "))
	fs.StringVar(&c.record, "record", blobstore.DefaultLayout, "key of the record of an object, made of {key} or of {dir}/ and {base}, and of {alg}")
	c.store.define(fs)
	fs.Var(&c.concurrency, "concurrency", "how many objects are in work at the same time, at most; a disk that must seek is fastest with 1")
	fs.Var(&c.memory, "memory", "memory for reading ahead in large objects, for example 256MiB; auto: a quarter of the memory, at most 128MiB")
}

// defineReading defines how objects are read.
func (c *sweepFlags) defineReading(fs *pflag.FlagSet) {
	fs.Var(flagvalue.Either(&c.Options.IgnoreClaims, "on", "off"), "native-checks", "compare objects with the claims of their store (ETag, stored checksums): on or off")
	fs.StringVar(&c.Results, "results", "", "URL of the topic that receives what was found as CloudEvents")
	fs.DurationVar(&c.Drain, "drain-timeout", 10*time.Second, "how long objects in work may take to finish after a SIGTERM or Ctrl-C")
}

// defineParts defines how a pass survives its process, and is divided between several.
func (c *sweepFlags) defineParts(fs *pflag.FlagSet) {
	fs.StringVar(&c.Reports, "reports", "", "URL of the bucket, or folder in it, that keeps what is found, so that an interrupted pass is resumed")
	fs.Var(flagvalue.Either(&c.Options.Parquet, "json", "parquet"), "reports-format", "how --reports keeps what is found: json (lines, in gzip) or parquet (Apache Parquet, which Athena, DuckDB and others query); a pass is resumed with the same only")
	fs.StringVar(&c.Pass, "pass", "", "name of the pass in --reports; a pass with this name is resumed, or its result is shown again. Without it, the newest unfinished one like this is resumed, else a new one begins")
	fs.StringVar(&c.Queue, "queue", "", "URL of the queue of workers (serve with the same --reports), which do the work; this process waits for them")
	fs.IntVar(&c.Shards, "shards", 0, "number of processes that share the work, each with the same --reports and --pass, and a --shard of its own")
	fs.IntVar(&c.Shard, "shard", 0, "the part of this process, from 0 to --shards less 1")
}

// defineOutput defines what is shown.
func (c *sweepFlags) defineOutput(fs *pflag.FlagSet) {
	fs.Var(flagvalue.Either(&c.json, "text", "json"), "format", "text (a line for each object that is not as it should be) or json (a line for each object)")
	c.defineLog(fs)
}

// defineLog defines what is shown on standard error.
func (c *sweepFlags) defineLog(fs *pflag.FlagSet) {
	fs.BoolVar(&c.quiet, "quiet", false, "show neither progress nor summary")
	c.log.define(fs, slog.LevelWarn)
}

// validate completes the Config for the buckets of the arguments, and returns all mistakes.
func (c *sweepFlags) validate(args []string) error {
	var faults []error
	var err error
	if len(args) == 0 {
		faults = append(faults, errors.New("no bucket is named; name one by its URL, for example s3://photos, or a folder by its path"))
	}
	if c.Buckets, err = parseBuckets(bucketArgument, args); err != nil {
		faults = append(faults, err)
	}
	faults = append(faults, c.store.validate(c.Buckets))
	layout, err := blobstore.ParseLayout(c.record)
	if err != nil {
		faults = append(faults, fmt.Errorf("--record: %w", err))
	}
	if c.Results != "" {
		faults = append(faults, checkQueue("--results", c.Results))
	}
	if c.Queue != "" {
		faults = append(faults, checkQueue("--queue", c.Queue))
	}
	if c.Reports != "" {
		faults = append(faults, checkPlace("--reports", c.Reports))
	}
	if c.Options.Versions && c.Command != sweep.Verify {
		faults = append(faults, fmt.Errorf("--versions: a record is beside its object and is of the current version, so that %s has nothing to do with the others: leave it out, or use verify", c.Command))
	}
	c.Options.Newer, c.Options.Larger = time.Time(c.newer), int64(c.larger)
	c.Concurrency, c.Version = int(c.concurrency), version()
	c.BucketDrivers = bucketDrivers(c.store.s3.Options)
	c.BucketConfig = blobstore.Config{
		Layout: layout, Algorithms: c.Options.Algorithms, Records: c.store.records, CallerVerifies: !c.Options.IgnoreClaims,
	}
	c.Sources = make(map[string]string)
	for _, b := range c.Buckets {
		c.Sources[b.Name] = cloudevents.SourceOf(b.Name, b.URL)
	}
	return errors.Join(append(faults, c.Config.Validate())...)
}

// selectedNothing reports that flags which name objects have selected none, as they do when they are misspelt: an audit of
// nothing must not look like one that passed. A part of a pass may be empty, and so may what other flags leave over.
func (c *sweepFlags) selectedNothing(t sweep.Totals) error {
	o := c.Options
	others := c.Shards > 0 || len(o.Exclude) > 0 || o.Sample > 0 || o.OlderThan > 0 || o.Budget > 0 || o.Larger > 0 || !o.Newer.IsZero()
	if t.Sum() > 0 || others || c.Command == sweep.Backfill {
		return nil
	}
	const check = "selects no object: check its spelling, which is that of keys"
	switch {
	case o.Prefix != "" && len(o.Include) > 0:
		return fmt.Errorf("--prefix %s with --include %s %s", quote(o.Prefix), quote(strings.Join(o.Include, " --include ")), check)
	case o.Prefix != "":
		return fmt.Errorf("--prefix %s %s", quote(o.Prefix), check)
	case len(o.Include) > 0:
		return fmt.Errorf("--include %s %s", quote(strings.Join(o.Include, " --include ")), check)
	}
	return nil
}

// config returns the Config with a log and memory.
func (c *sweepFlags) config(p process) pass.Config {
	log := c.log.logger(p.stderr)
	c.memory.Warn(log)
	config := c.Config
	config.Log, config.Drivers, config.Inventory.Stdin = log, queueDrivers(log), p.stdin
	config.BucketConfig.Log, config.BucketConfig.Memory = log, c.memory.Budget()
	return config
}
