package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Config describes a worker: its pipeline and its HTTP side.
type Config struct {
	// Drivers are the queues that a queue.Subscriber serves, by scheme.
	Drivers map[string]queue.Driver

	Queue      string // URL; needed
	DeadLetter string // URL of the topic for dead letters; empty: none
	Results    string // URL of the topic for results; empty: none
	// Continue is the URL of the topic that feeds the queue. It takes the continuations
	// of Resume.Slice.
	Continue string
	// MaxDeliveries dead-letters what fails that often; 0: the queue decides.
	MaxDeliveries int

	// Stores are the buckets, by the names that events have for them; needed. The
	// caller closes them.
	Stores  map[string]*blobstore.Store
	Sources map[string]string // the URIs of buckets, for results

	Algorithms       []string // computed in one pass
	Include, Exclude []string // globs of keys; Validate checks them
	KeepRecords      bool     // of objects that are deleted
	IgnoreClaims     bool     // of stores
	RecordMismatches bool     // and do not dead-letter them
	Resume           handlers.Resume
	Retry            pipeline.Retry
	Concurrency      int // objects in work at once
	DrainTimeout     time.Duration

	Listen    string   // address of the HTTP side; empty: none
	Hosts     []string // names under which the page is answered; none: any
	MaxUpload int64    // bytes; see web.Config
	Profiles  string   // loopback address of Go's profiles; empty: none

	Observer pipeline.Observer // beside metrics and Activity; without Result, the log gets each result
	Activity *web.Activity     // nil: one of the worker's own
	Version  string
	Log      *slog.Logger // nil: discarded
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Activity == nil {
		c.Activity = web.NewActivity()
	}
	if c.Observer.Result == nil {
		c.Observer.Result = func(ctx context.Context, r pipeline.Result, _ error) {
			c.Log.InfoContext(ctx, "object handled", "outcome", r.Outcome, "bucket", r.Record.Source.Bucket,
				"key", r.Record.Source.Key, "version_id", r.Record.Source.VersionID,
				"size", r.Record.Source.Size, "duration", r.Duration)
		}
	}
	return c
}

// selects reports whether Include and Exclude let a key pass.
func (c Config) selects(key string) bool {
	matches := func(glob string) bool { return doublestar.MatchUnvalidated(glob, key) }
	for _, glob := range c.Exclude {
		if matches(glob) {
			return false
		}
	}
	for _, glob := range c.Include {
		if matches(glob) {
			return true
		}
	}
	return len(c.Include) == 0
}
