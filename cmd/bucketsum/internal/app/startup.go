package app

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// startWaits are the waits before something that could not be opened is tried again.
var startWaits = backoff.Backoff{First: time.Second, Longest: time.Minute}

// opening is what a worker still opens, by name, and why it could not be opened so far.
type opening struct {
	mu     sync.Mutex
	faults map[string]error
}

func (o *opening) set(name string, fault error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.faults == nil {
		o.faults = make(map[string]error)
	}
	o.faults[name] = fault
}

func (o *opening) fault(name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.faults[name]
}

// awaited returns the readiness checks of a worker that does not work yet.
func (a *App) awaited() map[string]func(context.Context) error {
	checks := map[string]func(context.Context) error{
		"start": func(context.Context) error { return errors.New("waits for its queues and buckets") },
	}
	names := []string{"--queue", "--results", "--dead-letter", "--redrive-from", "--slice", "--reports", "--shards-to"}
	for _, b := range a.config.Buckets {
		names = append(names, "bucket "+b.Name)
	}
	for _, name := range names {
		checks[name] = func(context.Context) error { return a.opening.fault(name) }
	}
	return checks
}

// await opens something. With Config.Wait it tries until that succeeds, a permanent error
// comes, or ctx ends: a queue, a bucket or a permission may come later than its worker.
func (a *App) await(ctx context.Context, name string, open func(context.Context) error) error {
	for failures := 0; ; {
		err := redact.Values(open(ctx), a.config.urls())
		if err == nil {
			a.opening.set(name, nil)
			if failures > 0 {
				a.config.Log.Info("the wait is over", "for", name, "failures", failures)
			}
			return nil
		}
		if !a.config.Wait || ctx.Err() != nil || pipeline.Classify(err) == pipeline.ClassPermanent {
			return err
		}
		failures++
		a.opening.set(name, err)
		delay := startWaits.Delay(failures)
		a.config.Log.Warn("cannot start yet, trying again after a wait", "for", name, "err", err, "failures", failures, "next", delay.Round(time.Second).String())
		if !backoff.Sleep(ctx, delay) {
			return ctx.Err()
		}
	}
}

// urls returns all URLs of the configuration, which may contain secrets.
func (c Config) urls() []string {
	urls := []string{c.Queue, c.DeadLetter, c.Results, c.Continue, c.Reports, c.Shards, c.RedriveFrom, c.RedriveTo}
	for _, b := range c.Buckets {
		urls = append(urls, b.URL)
	}
	return urls
}

// open opens the buckets and the queues at the same time, and builds the handler. A
// failure ends a wait for the others.
func (a *App) open(ctx context.Context) error {
	all, giveUp := context.WithCancel(ctx)
	defer giveUp()
	stores := make([]*blobstore.Store, len(a.config.Buckets))
	a.queues = NewQueues(a.config)
	a.closes = append(a.closes, func() error { return closeAll(stores) }, a.queues.Close)
	faults := make([]error, len(stores)+2)
	var running sync.WaitGroup
	begin := func(i int, part func(context.Context) error) {
		running.Go(func() {
			faults[i] = part(all)
			switch {
			case faults[i] != nil && all.Err() != nil && ctx.Err() == nil:
				faults[i] = nil // another fault has ended it
			case faults[i] != nil && a.config.Wait:
				giveUp()
			}
		})
	}
	for i, b := range a.config.Buckets {
		begin(i, func(ctx context.Context) error {
			return a.await(ctx, "bucket "+b.Name, func(ctx context.Context) (err error) {
				stores[i], err = OpenBucket(ctx, a.config.BucketDrivers, b, a.config.BucketConfig)
				return flagError("--bucket", err) // which names the bucket
			})
		})
	}
	begin(len(stores), a.openQueues)
	begin(len(stores)+1, a.openReports)
	running.Wait()

	byName := make(map[string]*blobstore.Store)
	maps.Copy(byName, a.config.Stores)
	for i, s := range stores {
		if s != nil {
			byName[a.config.Buckets[i].Name] = s
		}
	}
	a.config.Stores = byName
	if a.keep != nil {
		a.config.Observer = pipeline.Observers(a.config.Observer, a.settled)
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return a.buildHandler()
}
