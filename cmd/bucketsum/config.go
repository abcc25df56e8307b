package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// workerConfig is what the commands that run a worker have in common.
type workerConfig struct {
	algorithms   []string
	record       string
	concurrency  slots
	memory       memorySize
	listen       string
	pprof        string // address; empty: none
	include      []string
	exclude      []string
	onDelete     string
	results      string // URL; empty: nobody is told
	nativeChecks string
	onMismatch   string
	drainTimeout time.Duration
	resume       resumeConfig
	maxUpload    int64
	log          logConfig

	layout blobstore.Layout // set by validate
}

// workerFlags defines the flags that the commands which run a worker have in common.
func (c *workerConfig) flags(fs *pflag.FlagSet, listen, logLevel string, drain time.Duration) {
	fs.StringSliceVar(&c.algorithms, "algorithms", []string{"md5"}, "checksums to compute in one pass: "+strings.Join(digest.Names(), ", "))
	fs.StringVar(&c.record, "record", blobstore.DefaultLayout, "where the record of an object is: {key} or {dir}/ and {base}, and {alg}")
	c.concurrency = autoSlots
	fs.Var(&c.concurrency, "concurrency", "objects in work at once, at most")
	fs.Var(&c.memory, "memory", "what may be held of large objects that are read ahead, as 256MiB; auto: a quarter of the memory, at most 128MiB")
	fs.StringVar(&c.listen, "listen", listen, "address of the HTTP side: the page, POST /md5, GET /status, /records, /metrics, /livez, /readyz; 'off' for none")
	fs.StringVar(&c.pprof, "pprof", "", "loopback address that Go's profiles are served on, as 127.0.0.1:6060; without it they are not")
	fs.StringArrayVar(&c.include, "include", nil, "sum only keys that match this glob, as 'photos/**/*.raw'; may be repeated")
	fs.StringArrayVar(&c.exclude, "exclude", nil, "do not sum keys that match this glob; may be repeated")
	fs.StringVar(&c.onDelete, "on-delete", "remove", "the record of an object that is deleted: remove or keep")
	fs.StringVar(&c.results, "results", "", "URL of the topic that is told of results, as CloudEvents")
	fs.StringVar(&c.nativeChecks, "native-checks", "on", "compare objects with what their store claims of them (ETag, stored checksums): on or off")
	fs.StringVar(&c.onMismatch, "on-mismatch", "dead-letter", "an object that is not what its store claims: dead-letter (without a record) or record")
	fs.DurationVar(&c.drainTimeout, "drain-timeout", drain, "time that work in flight has after a SIGTERM or Ctrl-C")
	c.resume.flags(fs)
	fs.Int64Var(&c.maxUpload, "max-upload", 0, "largest upload to POST /md5 in bytes; 0: 5 TiB, -1: no limit")
	c.log.flags(fs, logLevel)
}

// validate returns everything that is wrong, as a usageError.
func (c *workerConfig) validate() error {
	var faults []error
	if _, err := digest.New(c.algorithms...); err != nil {
		faults = append(faults, fmt.Errorf("--algorithms: %w", err))
	}
	var err error
	if c.layout, err = blobstore.ParseLayout(c.record); err != nil {
		faults = append(faults, fmt.Errorf("--record: %w", err))
	}
	if c.concurrency < 1 {
		faults = append(faults, fmt.Errorf("--concurrency: %d is less than 1", c.concurrency))
	}
	if c.onDelete != "remove" && c.onDelete != "keep" {
		faults = append(faults, fmt.Errorf("--on-delete: unknown %q; valid are remove, keep", c.onDelete))
	}
	if c.results != "" {
		if err := checkURL("--results", c.results, queueSchemes); err != nil {
			faults = append(faults, err)
		}
	}
	if c.nativeChecks != "on" && c.nativeChecks != "off" {
		faults = append(faults, fmt.Errorf("--native-checks: unknown %q; valid are on, off", c.nativeChecks))
	}
	if c.onMismatch != "dead-letter" && c.onMismatch != "record" {
		faults = append(faults, fmt.Errorf("--on-mismatch: unknown %q; valid are dead-letter, record", c.onMismatch))
	}
	if c.drainTimeout <= 0 {
		faults = append(faults, fmt.Errorf("--drain-timeout: %s is not more than 0", c.drainTimeout))
	}
	if err := app.CheckLoopback(c.pprof); err != nil {
		faults = append(faults, err)
	}
	if err := c.resume.validate(); err != nil {
		faults = append(faults, err)
	}
	if c.maxUpload < web.Unlimited {
		faults = append(faults, fmt.Errorf("--max-upload: %d is less than -1", c.maxUpload))
	}
	for flag, globs := range map[string][]string{"--include": c.include, "--exclude": c.exclude} {
		for _, glob := range globs {
			if !doublestar.ValidatePattern(glob) {
				faults = append(faults, fmt.Errorf("%s: %q is not a glob", flag, glob))
			}
		}
	}
	if err := c.log.validate(); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return usageError{errors.Join(faults...)}
	}
	return nil
}

// worker returns what the flags say of a worker.
func (c *workerConfig) worker() app.Config {
	listen := c.listen
	if listen == "off" {
		listen = ""
	}
	return app.Config{
		Results: c.results, Algorithms: c.algorithms, Include: c.include, Exclude: c.exclude,
		KeepRecords: c.onDelete == "keep", IgnoreClaims: c.nativeChecks == "off", RecordMismatches: c.onMismatch == "record",
		Resume: c.resume.resume(), Concurrency: int(c.concurrency), DrainTimeout: c.drainTimeout,
		Listen: listen, MaxUpload: c.maxUpload, Profiles: c.pprof, Version: version(),
	}
}
