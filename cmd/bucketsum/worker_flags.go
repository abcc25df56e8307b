package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// workerFlags are the flags that local and serve have in common.
type workerFlags struct {
	app.Config  // what a flag sets as it is
	record      string
	layout      blobstore.Layout // of record, set by validate
	concurrency slots
	memory      memorySize
	listen      string
	checkpoints checkpointFlags
	log         logFlags
}

func (c *workerFlags) define(fs *pflag.FlagSet, listen string, level slog.Level, drain time.Duration) {
	fs.StringSliceVar(&c.Algorithms, "algorithms", []string{"md5"}, "checksums to compute in one pass: "+strings.Join(digest.Names(), ", "))
	fs.StringVar(&c.record, "record", blobstore.DefaultLayout, "where the record of an object is: {key} or {dir}/ and {base}, and {alg}")
	c.concurrency = autoSlots
	fs.Var(&c.concurrency, "concurrency", "objects in work at once, at most")
	fs.Var(&c.memory, "memory", "what may be held of large objects that are read ahead, as 256MiB; auto: a quarter of the memory, at most 128MiB")
	fs.StringVar(&c.listen, "listen", listen, "address of the HTTP side: the page, POST /md5, GET /status, /records, /metrics, /livez, /readyz; 'off' for none")
	fs.StringVar(&c.Profiles, "pprof", "", "loopback address that Go's profiles are served on, as 127.0.0.1:6060; without it they are not")
	fs.StringArrayVar(&c.Include, "include", nil, "sum only keys that match this glob, as 'photos/**/*.raw'; may be repeated")
	fs.StringArrayVar(&c.Exclude, "exclude", nil, "do not sum keys that match this glob; may be repeated")
	fs.Var(&either{&c.KeepRecords, [2]string{"remove", "keep"}}, "on-delete", "the record of an object that is deleted: remove or keep")
	fs.StringVar(&c.Results, "results", "", "URL of the topic that is told of results, as CloudEvents")
	fs.Var(&either{&c.IgnoreClaims, [2]string{"on", "off"}}, "native-checks", "compare objects with what their store claims of them (ETag, stored checksums): on or off")
	fs.Var(&either{&c.RecordMismatches, [2]string{"dead-letter", "record"}}, "on-mismatch", "an object that is not what its store claims: dead-letter (without a record) or record")
	fs.DurationVar(&c.DrainTimeout, "drain-timeout", drain, "time that work in flight has after a SIGTERM or Ctrl-C")
	c.checkpoints.define(fs)
	fs.Int64Var(&c.MaxUpload, "max-upload", 0, "largest upload to POST /md5 in bytes; 0: 5 TiB, -1: no limit")
	c.log.define(fs, level)
}

// validate completes the Config and returns everything that is wrong.
func (c *workerFlags) validate() error {
	var faults []error
	var err error
	if c.layout, err = blobstore.ParseLayout(c.record); err != nil {
		faults = append(faults, fmt.Errorf("--record: %w", err))
	}
	if c.concurrency < 1 {
		faults = append(faults, fmt.Errorf("--concurrency: %d is less than 1", c.concurrency))
	}
	if c.Results != "" {
		faults = append(faults, checkURL("--results", c.Results, queueSchemes()))
	}
	if c.DrainTimeout <= 0 {
		faults = append(faults, fmt.Errorf("--drain-timeout: %s is not more than 0", c.DrainTimeout))
	}
	c.Concurrency, c.Resume, c.Version = int(c.concurrency), c.checkpoints.resume(), version()
	if c.listen != "off" {
		c.Listen = c.listen
	}
	return errors.Join(append(faults, c.Config.Validate())...)
}
