// Package pass wires a pass over existing objects from a Config, as package app wires a worker: buckets, the
// examination of their objects, reports and results. The caller parses the flags and shows the rows.
package pass

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/keyglob"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Config describes a pass. Command and Buckets are needed.
type Config struct {
	Command sweep.Command
	Options sweep.Options

	Buckets       []app.BucketURL
	BucketDrivers blobstore.Drivers
	BucketConfig  blobstore.Config

	Results string            // URL of the topic for results; empty: none
	Drivers queue.Drivers     // what Results can be of
	Sources map[string]string // URIs of the buckets, for results

	Resume      handlers.Resume
	Concurrency int           // objects in work at the same time; 0: app.DefaultConcurrency
	Drain       time.Duration // how long objects in work may take after the end of Run's context
	Rate        int64         // bytes that are read in a second, at most; 0: no limit

	Against *List // the content is compared with this list, not with records; nil: with records

	Inventory Inventory

	Reports string // URL of the place where what is found is kept; empty: the pass cannot be resumed
	Pass    string // name of the pass; empty: the newest unfinished one like this, or a new one
	Queue   string // URL of the queue of workers, which run the shards; empty: this process does
	Shard   int    // this process runs those shards of the plan that have this index modulo Shards
	Shards  int    // 0: this process runs all

	Observer pipeline.Observer
	Version  string
	Log      *slog.Logger // nil: discarded
}

// Validate returns all mistakes that show without opening anything. Each names the flag of its setting.
func (c Config) Validate() error {
	var faults []error
	if err := digest.CheckNames(c.Options.Algorithms...); err != nil {
		faults = append(faults, fmt.Errorf("--algorithms: %w", err))
	}
	if c.Concurrency < 0 {
		faults = append(faults, fmt.Errorf("--concurrency: %d is less than 1", c.Concurrency))
	}
	if c.Drain < 0 {
		faults = append(faults, fmt.Errorf("--drain-timeout: %s is negative", c.Drain))
	}
	faults = append(faults, c.validateParts(), c.validateInventory())
	globs := map[string][]string{"--include": c.Options.Include, "--exclude": c.Options.Exclude}
	for _, flag := range slices.Sorted(maps.Keys(globs)) {
		for _, glob := range globs[flag] {
			if !keyglob.Valid(glob) {
				faults = append(faults, fmt.Errorf("%s: %q is not a glob, such as '*.raw' or 'photos/**'", flag, glob))
			}
			if c.Reports != "" && !utf8.ValidString(glob) {
				faults = append(faults, fmt.Errorf("%s: %q is not UTF-8, so that --reports cannot keep it", flag, glob))
			}
		}
	}
	if !utf8.ValidString(c.Options.Prefix) {
		faults = append(faults, fmt.Errorf("--prefix: %q is not UTF-8, as all keys are", c.Options.Prefix))
	}
	return errors.Join(faults...)
}

// validateParts returns the mistakes in how a pass is divided.
func (c Config) validateParts() error {
	var faults []error
	fault := func(is bool, text string) {
		if is {
			faults = append(faults, errors.New(text))
		}
	}
	fault(c.Queue != "" && c.Reports == "", "--queue: workers hand over what they find by --reports, which is missing")
	fault(c.Queue != "" && c.Shards != 0, "--queue: workers divide the work, and so does --shards: give one of them")
	fault(c.Shards < 0, fmt.Sprintf("--shards: %d is less than 1", c.Shards))
	fault(c.Shards > 0 && (c.Reports == "" || c.Pass == ""), "--shards: the processes meet by --reports and --pass, which are needed")
	fault(c.Shard < 0 || c.Shard > 0 && c.Shard >= c.Shards, fmt.Sprintf("--shard: %d is not from 0 to --shards less 1", c.Shard))
	fault(c.Options.Parquet && c.Reports == "", "--reports-format: it is about --reports, which is missing")
	fault(c.Pass != "" && c.Reports == "", "--pass: the pass is in --reports, which is missing")
	if c.Pass != "" {
		if err := pipeline.CheckPass(c.Pass); err != nil {
			faults = append(faults, fmt.Errorf("--pass: %w", err))
		}
	}
	fault(c.Queue != "" && c.Rate > 0, "--rate: with --queue the workers read; their --concurrency bounds them")
	fault(c.Queue != "" && c.Results != "", "--results: with --queue the workers announce what they find; give it to serve")
	fault(c.Options.Budget > 0 && (c.Queue != "" || c.Shards > 0), "--budget: one process has to count what is read: leave out --queue and --shards")
	return errors.Join(faults...)
}

// Pass is a pass whose buckets and topics are open. Its methods are not safe for concurrent use.
type Pass struct {
	config Config
	queues *app.Queues
	stores map[string]*blobstore.Store
	closes []func() error

	inventory *inventoried       // nil: the buckets are listed
	reports   *blobstore.Reports // nil: none
	send      sweep.Send         // to the queue of workers
	announce  pipeline.Publisher // nil: results are not announced
	limiter   *rate.Limiter      // nil: no limit
	budget    *budget            // nil: no limit
}

// Open opens what the pass needs, so that a wrong URL or a missing permission is reported before any work
// begins. Only a backfill needs buckets that it can write to.
func Open(ctx context.Context, c Config) (*Pass, error) {
	c.Concurrency = cmp.Or(c.Concurrency, app.DefaultConcurrency)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pass{config: c, stores: make(map[string]*blobstore.Store)}
	p.queues = app.NewQueues(app.Config{Drivers: c.Drivers, Concurrency: c.Concurrency, Log: c.Log})
	p.closes = append(p.closes, p.queues.Close)
	if c.Rate > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(c.Rate), burst)
	}
	if c.Options.Budget > 0 {
		p.budget = new(budget)
		p.budget.left.Store(c.Options.Budget)
	}
	if err := errors.Join(p.openBuckets(ctx), p.openResults(ctx), p.openQueue(ctx), p.openReports(ctx), p.openInventory(ctx)); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Pass) openBuckets(ctx context.Context) error {
	open := app.OpenReadable
	if p.config.Command == sweep.Backfill {
		open = app.OpenBucket
	}
	var faults []error
	for _, b := range p.config.Buckets {
		s, err := open(ctx, p.config.BucketDrivers, b, p.config.BucketConfig)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		p.stores[b.Name] = s
		p.closes = append(p.closes, s.Close)
		_, err = s.Lists(p.config.Options)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// Look opens the first bucket of a pass and calls f with a function that reports whether it has an object of a key.
func Look(ctx context.Context, c Config, f func(has func(key string) (bool, error)) error) (err error) {
	s, err := app.OpenReadable(ctx, c.BucketDrivers, c.Buckets[0], c.BucketConfig)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(func(key string) (bool, error) { return has(ctx, s, c.Buckets[0].Name, key) })
}

func (p *Pass) openResults(ctx context.Context) error {
	if p.config.Results == "" {
		return nil
	}
	topic, err := p.queues.Publisher(ctx, p.config.Results)
	if err == nil {
		p.announce, err = cloudevents.NewPublisher(cloudevents.Config{Publisher: topic, Topic: p.config.Results, Sources: p.config.Sources})
	}
	if err != nil {
		return fmt.Errorf("--results: %w", err)
	}
	return nil
}

func (p *Pass) openQueue(ctx context.Context) error {
	if p.config.Queue == "" {
		return nil
	}
	topic, err := p.queues.Publisher(ctx, p.config.Queue)
	if err != nil {
		return fmt.Errorf("--queue: %w", err)
	}
	p.send = func(ctx context.Context, s pipeline.Shard) error {
		m, err := cloudevents.ShardMessage(ctx, s)
		if err != nil {
			return err
		}
		return topic.Publish(p.config.Queue, m)
	}
	return nil
}

// Close closes what Open opened, in reverse order.
func (p *Pass) Close() error {
	var errs []error
	for _, c := range slices.Backward(p.closes) {
		errs = append(errs, c())
	}
	p.closes = nil
	return errors.Join(errs...)
}

// Has reports whether a bucket has an object of that key.
func (p *Pass) Has(ctx context.Context, bucket, key string) (bool, error) {
	return has(ctx, p.stores[bucket], bucket, key)
}

func has(ctx context.Context, s *blobstore.Store, bucket, key string) (bool, error) {
	_, err := s.Bucket().Source.Stat(ctx, pipeline.Object{Bucket: bucket, Key: key, Size: pipeline.UnknownSize})
	if errors.Is(err, pipeline.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Tell takes rows in the order of positions, bucket by bucket. It must not keep the slice.
type Tell func([]sweep.Row) error

// Run examines the objects, here or by workers, and tells what it finds. When ctx ends, it begins no other object, and
// gives those in work some time. Errors: sweep.ErrStopped when ctx has ended; a bucket that could not be listed; that of
// tell.
func (p *Pass) Run(ctx context.Context, tell Tell, progress func(sweep.Progress)) (sweep.Summary, error) {
	options := p.config.Options
	if p.budget != nil {
		var err error
		if options.VerifiedBefore, err = p.oldest(ctx); err != nil {
			return sweep.Summary{}, err
		}
	}
	rest := func(string) error { return nil }
	if l := p.config.Against; l != nil {
		options.Against = !options.RecordsOnly
		tell, rest = l.compare(ctx, p.announce, tell)
	}
	s := p.sweep(ctx, p.config.Command, options, tell)
	if s.Name = p.config.Pass; p.reports != nil {
		s.Reports = p.reports
	}
	s.InventoryAt = p.config.inventoryAt()
	s.Progress = func(now sweep.Progress) {
		if p.budget != nil {
			p.budget.resumed(now.Resumed.Read)
		}
		progress(now)
	}
	work, cancel := lasting(ctx, p.config.Drain)
	defer cancel()
	summary, err := p.divided(work, s)
	p.tellGone(options)
	if err == nil && summary.Complete {
		err = rest(p.config.Buckets[0].Name)
	}
	return summary, err
}

// divided runs a pass here, by workers, or the part of this process.
func (p *Pass) divided(ctx context.Context, s sweep.Pass) (sweep.Summary, error) {
	switch {
	case p.send != nil:
		s.Shards = rootsByQueue
		return s.ByQueue(ctx, p.send)
	case p.config.Shards > 0:
		s.Shards = p.config.Shards * rootsByIndex
		return s.ByIndex(ctx, p.config.Shard, p.config.Shards)
	}
	return s.Here(ctx)
}

// Into how many ranges a plan divides the buckets. Workers split them further; processes with an index get
// several each, because ranges differ in size.
const (
	rootsByQueue = 64
	rootsByIndex = 4
)

// sweep returns a pass over the buckets that ends when ctx does.
func (p *Pass) sweep(ctx context.Context, command sweep.Command, o sweep.Options, tell Tell) sweep.Pass {
	return sweep.Pass{
		Command: command, Options: o, Buckets: slices.Sorted(maps.Keys(p.stores)), Open: p.open, Version: p.config.Version, Places: p.config.places(),
		Concurrency: p.config.Concurrency, Stop: ctx.Done(), Rows: tell, Log: p.config.Log,
	}
}

// Skipped is how many objects were due and were not read, because the budget was used up.
func (p *Pass) Skipped() int64 {
	if p.budget == nil {
		return 0
	}
	return p.budget.skipped.Load()
}

// open implements sweep.Open.
func (p *Pass) open(_ context.Context, plan sweep.Plan, name string) (sweep.Bucket, error) {
	s := p.stores[name]
	if s == nil {
		return sweep.Bucket{}, fmt.Errorf("bucket %q %w", name, pipeline.ErrUnknownBucket)
	}
	b := s.Bucket()
	if p.limiter != nil {
		b = limitRate(b, p.limiter)
	}
	if p.budget != nil {
		b = p.budget.bound(b)
	}
	examine, err := handlers.Examine(handlers.Config{
		Buckets: map[string]pipeline.Bucket{name: b}, Algorithms: p.config.BucketConfig.Algorithms, IgnoreClaims: plan.Options.IgnoreClaims,
		Resume:  p.config.Resume,
		Publish: p.announce, Observer: p.config.Observer, Log: p.config.Log,
	}, plan)
	if err == nil && p.budget != nil {
		examine = p.budget.examine(examine)
	}
	if err == nil && p.inventory != nil {
		return sweep.Bucket{Source: p.inventory, Examine: p.inventory.examine(examine)}, nil
	}
	source, cannot := s.Lists(plan.Options)
	return sweep.Bucket{Source: source, Examine: examine, Keys: true}, errors.Join(err, cannot)
}

// lasting returns a context that ends d after ctx.
func lasting(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(d, func() { cancel(context.Cause(ctx)) })
	})
	return work, func() { stop(); cancel(nil) }
}

// look looks at the records alone: it reads no content and changes nothing.
func (p *Pass) look(ctx context.Context, tell func(sweep.Row)) error {
	s := p.sweep(ctx, sweep.Manifest, p.config.Options, func(rows []sweep.Row) error {
		for _, r := range rows {
			tell(r)
		}
		return nil
	})
	_, err := s.Here(ctx)
	return err
}

// oldest looks at the records to find which objects the budget reaches for: those that were last found right before
// the time that it returns.
func (p *Pass) oldest(ctx context.Context) (time.Time, error) {
	found := make(ages)
	if err := p.look(ctx, found.add); err != nil {
		return time.Time{}, fmt.Errorf("look for the objects whose last check is the longest ago: %w", err)
	}
	through := found.through(p.config.Options.Budget)
	if through.IsZero() {
		through = time.Now().UTC() // all of them; their records get the time of this check
	}
	if due := p.config.Options.VerifiedBefore; !due.IsZero() && due.Before(through) {
		return due, nil
	}
	return through, nil
}

// Estimate looks at the records to say what a backfill would do, and what it would cost. It reads no content. Some of
// the published prices may be replaced.
func (p *Pass) Estimate(ctx context.Context, prices Prices) (*Estimate, error) {
	locals := make(map[string]bool)
	for _, b := range p.config.Buckets {
		locals[b.Name] = slices.Contains(local, redact.Scheme(b.URL))
	}
	e := newEstimate(len(p.config.BucketConfig.Algorithms))
	err := p.look(ctx, func(r sweep.Row) { e.add(r, locals[r.Bucket]) })
	e.price(published[market(p.config.Buckets)].with(prices))
	return e, err
}
