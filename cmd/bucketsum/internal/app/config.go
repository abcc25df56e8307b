package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/sns"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/keyglob"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// DefaultConcurrency is enough to fill the MD5 lanes of several CPUs and to hide the
// latency of a store for small objects, beside some huge ones. An object in work costs
// one small buffer and one connection; blobstore.Memory bounds the memory for reading
// ahead.
const DefaultConcurrency = 64

// Config describes a worker: its pipeline and its HTTP side.
type Config struct {
	// Drivers are the technologies that queues can be of.
	Drivers queue.Drivers

	Queue      string // URL; needed
	DeadLetter string // URL of the topic for dead letters; empty: none
	Results    string // URL of the topic for results; empty: none
	// Continue is the URL of the topic that feeds the queue. Work that takes longer than
	// Resume.Slice continues in a message to this topic.
	Continue string
	// Reports is the URL of the bucket with the plans and reports of passes over existing objects. Empty: the worker
	// takes no part in passes.
	Reports string
	// Shards is the URL of the topic that feeds the queue. The shards of a pass that follow those in work go there.
	Shards string
	// RedriveFrom is the URL of the queue from which the HTTP side receives dead letters. Empty: DeadLetter, if messages
	// can be received from it. RedriveTo is the URL of the topic that feeds the queue. Empty: Shards or Queue.
	RedriveFrom, RedriveTo string
	// MaxDeliveries is how often a message may fail or be interrupted before it is
	// dead-lettered; 0: the queue decides. It is always less than a limit that the queue
	// is known to have.
	MaxDeliveries int
	SNS           sns.Config // the topics that must have signed a message; zero: none

	// Stores are open buckets by the names that events use. The caller closes them after
	// the App. Buckets are opened and closed by the App. There must be at least one.
	Stores        map[string]*blobstore.Store
	Buckets       []BucketURL
	BucketDrivers blobstore.Drivers // what Buckets can be of
	BucketConfig  blobstore.Config  // of Buckets
	// Wait makes Run open the buckets and queues, and wait for those that cannot be
	// opened yet. The HTTP side answers meanwhile, and is not ready. Otherwise New opens
	// them.
	Wait bool

	Sources map[string]string // URIs of the buckets, for results

	Algorithms       []string // computed in one pass; default: md5
	Include, Exclude []string // globs of keys
	KeepRecords      bool     // keep the record of a deleted object
	IgnoreClaims     bool     // do not compare content with the claims of its store
	RecordMismatches bool     // record content that contradicts a claim, instead of dead-lettering its event
	// DeadLetterMissing dead-letters an event whose object does not exist, instead of acknowledging it.
	DeadLetterMissing bool
	Resume            handlers.Resume
	Retry             pipeline.Retry
	Concurrency       int           // objects in work at the same time; 0: DefaultConcurrency
	DrainTimeout      time.Duration // how long work in flight may take after the end of Run's context; 0: 30 s

	Listen    string   // address of the HTTP side; empty: none
	Hosts     []string // host names that the page answers to; none: any
	MaxUpload int64    // bytes; see web.Config
	TLSCert   string   // file of the certificate of the HTTP side; empty: no TLS
	TLSKey    string   // file of its key
	TokenFile string   // with the token for what changes something by HTTP; empty: none
	Profiles  string   // loopback address that serves Go's profiles; empty: none

	Observer pipeline.Observer // called beside metrics and Activity; nil Result: results are logged
	Folder   string            // the path of the folder that is the bucket, for the page; empty: the page shows Buckets
	First    string            // the command that makes the first object, for the page
	Activity *live.Activity    // nil: the worker makes one
	// Waiting tells what waits for the worker. It must be quick. nil: the queue is asked, if it can tell.
	Waiting func() *live.Waiting
	Version string
	side    *side // nil: the worker opens one of its own
	// requeue sends messages to Queue again; nil: a publisher of its own.
	requeue message.Publisher
	// objects are, by bucket, what clients may write files to.
	objects map[string]web.Objects
	// wrap changes how the handlers use a bucket; nil: it does not.
	wrap func(pipeline.Bucket) pipeline.Bucket
	Log  *slog.Logger // nil: discarded
	// webLog is the log of the HTTP side. nil: Log.
	webLog *slog.Logger
}

// Validate returns all mistakes that show without opening anything. Each names the flag
// of its setting.
func (c Config) Validate() error {
	var faults []error
	if err := digest.CheckNames(c.Algorithms...); err != nil && c.Algorithms != nil {
		faults = append(faults, fmt.Errorf("--algorithms: %w", err))
	}
	if c.Concurrency < 0 {
		faults = append(faults, fmt.Errorf("--concurrency: %d is less than 1", c.Concurrency))
	}
	if c.DrainTimeout < 0 {
		faults = append(faults, fmt.Errorf("--drain-timeout: %s is not more than 0", c.DrainTimeout))
	}
	faults = append(faults, checkLoopback(c.Profiles), c.SNS.Validate())
	if c.Resume.Slice < 0 {
		faults = append(faults, fmt.Errorf("--slice: %s is negative", c.Resume.Slice))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		faults = append(faults, errors.New("--tls-cert and --tls-key need each other"))
	}
	if c.MaxUpload < web.Unlimited {
		faults = append(faults, fmt.Errorf("--max-upload: %d is less than -1", c.MaxUpload))
	}
	for _, list := range []struct {
		flag  string
		globs []string
	}{{"--include", c.Include}, {"--exclude", c.Exclude}} {
		for _, glob := range list.globs {
			if !keyglob.Valid(glob) {
				faults = append(faults, fmt.Errorf("%s: %q is not a glob, such as '*.raw' or 'photos/**'", list.flag, glob))
			}
		}
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.Algorithms == nil {
		c.Algorithms = []string{"md5"}
	}
	c.Concurrency = cmp.Or(c.Concurrency, DefaultConcurrency)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 30*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Activity == nil {
		c.Activity = live.NewActivity()
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

// selects reports whether Include and Exclude select a key.
func (c Config) selects(key string) bool {
	return keyglob.Selects(c.Include, c.Exclude, key)
}

// includesName reports whether one of Include names a folder literally.
func (c Config) includesName(folder string) bool {
	return slices.ContainsFunc(c.Include, func(glob string) bool { return slices.Contains(strings.Split(glob, "/"), folder) })
}

// checkpoints reports whether the reading of an object has checkpoints.
func (c Config) checkpoints(o pipeline.Object) bool {
	return c.Resume.Every > 0 && o.Size > c.Resume.Above && !slices.ContainsFunc(c.Algorithms, func(alg string) bool { return !digest.Resumable(alg) })
}
