package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/adapters/inventory"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// passes is a worker's part in passes over existing objects.
type passes struct {
	reports *blobstore.Reports // nil: the worker takes no part
	shards  message.Publisher  // the topic of the shards that follow
	stop    chan struct{}      // closed when the pipeline drains
}

// openReports opens the place of the reports.
func (a *App) openReports(ctx context.Context) error {
	if a.config.Reports == "" {
		return nil
	}
	return a.await(ctx, "--reports", func(ctx context.Context) (err error) {
		a.passes.reports, err = a.config.BucketDrivers.OpenReports(ctx, a.config.Reports, a.config.BucketConfig)
		if err == nil {
			a.closes = append(a.closes, a.passes.reports.Close)
		}
		return flagError("--reports", err)
	})
}

// sweep returns the handler of shards, which works on the buckets of c.
func (a *App) sweep(c handlers.Config) pipeline.Handler {
	cut := sweep.DefaultCut
	if slice := a.config.Resume.Slice; slice > 0 {
		cut.Time = min(cut.Time, slice)
	}
	// All shards in work share the slots.
	slots := make(chan struct{}, a.config.Concurrency)
	turns := make(chan struct{}, mostReadings)
	w := &sweep.Worker{
		Reports: a.passes.reports, Send: a.sendShard, Version: a.config.Version, Concurrency: a.config.Concurrency,
		Cut: cut, Stop: a.passes.stop, Log: a.config.Log,
		Open: func(ctx context.Context, p sweep.Plan, bucket string) (sweep.Bucket, error) {
			store, ok := a.config.Stores[bucket]
			if !ok {
				return sweep.Bucket{}, fmt.Errorf("bucket %q %w", bucket, pipeline.ErrUnknownBucket)
			}
			examine, err := handlers.Examine(c, p)
			if err != nil {
				return sweep.Bucket{}, pipeline.Permanent(err)
			}
			b := sweep.Bucket{Examine: a.counted(examine, slots), Keys: p.Options.Inventory == ""}
			if b.Source, err = store.Lists(p.Options); err != nil {
				return b, pipeline.Permanent(err)
			}
			if b.Keys {
				return b, nil
			}
			b.Turn = func(ctx context.Context) (func(), error) { return a.turn(ctx, turns) }
			b.Source, err = a.openInventory(ctx, p, bucket)
			return b, err
		},
	}
	return func(ctx context.Context, e pipeline.Event) error {
		began := time.Now()
		err := w.Handle(ctx, e)
		a.measured.Shard(pipeline.Classify(err))
		if err == nil {
			a.config.Log.InfoContext(ctx, "shard of a pass is done", "pass", e.Shard.Pass, "bucket", e.Shard.Bucket,
				"after", e.Shard.After, "through", e.Shard.Through, "duration", time.Since(began))
		}
		return err
	}
}

// mostReadings is how many shards of inventories are in work at the same time. Each keeps blocks
// of 32 MiB, and pages, of a Parquet file. All shards share the slots for objects, so that more would not be faster.
const mostReadings = 4

// turn waits until another shard may read its inventory.
func (a *App) turn(ctx context.Context, turns chan struct{}) (end func(), err error) {
	select {
	case turns <- struct{}{}:
		return func() { <-turns }, nil
	case <-a.passes.stop:
		return nil, sweep.ErrStopped
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// openInventory opens the list of a plan. The plan is not trusted: the list has to lie where the worker reads anyway.
func (a *App) openInventory(ctx context.Context, p sweep.Plan, bucket string) (*inventory.Inventory, error) {
	if p.InventoryAt == nil {
		return nil, pipeline.Permanent(fmt.Errorf("pass %s is about an inventory that has no URL: begin another pass with --queue and the URL of the inventory", p.Pass))
	}
	shown := readable.Name(cloudevents.SourceOf("", p.InventoryAt.URL))
	from, key := a.placeOf(p.InventoryAt.URL)
	if from == nil {
		return nil, pipeline.Permanent(fmt.Errorf(
			"pass %s is about the inventory %s, which lies in no bucket that this worker may read: name its bucket in a --bucket of the workers, or put it into the bucket of their --reports and begin another pass", p.Pass, shown))
	}
	v, err := inventory.Open(ctx, inventory.Config{
		Bucket: bucket, Name: key, From: from, Null: p.InventoryAt.Null, Scattered: true,
		Versions: p.Options.Versions, IsRecord: a.config.Stores[bucket].Bucket().Records.IsRecord, Log: a.config.Log,
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("pass %s: %w", p.Pass, err)
	case v.ID() != p.Options.Inventory:
		return nil, pipeline.Permanent(fmt.Errorf("pass %s: the inventory %s has changed since the pass began: begin another one", p.Pass, shown))
	}
	return v, nil
}

// placeOf returns the configured bucket that an object lies in, and its key there; nil: there is none.
func (a *App) placeOf(url string) (*blobstore.Store, string) {
	if key, ok := a.config.BucketDrivers.KeyIn(a.config.Reports, url); ok {
		return a.passes.reports.Beside(a.config.BucketConfig), key
	}
	for _, b := range a.config.Buckets {
		if key, ok := a.config.BucketDrivers.KeyIn(b.URL, url); ok {
			return a.config.Stores[b.Name], key
		}
	}
	return nil, ""
}

// counted takes a slot for each item and counts its row.
func (a *App) counted(examine sweep.Examine, slots chan struct{}) sweep.Examine {
	return func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return sweep.Row{}, context.Cause(ctx)
		}
		row, err := examine(ctx, i)
		if err == nil && row.State != "" {
			a.measured.Row(row.State)
		}
		return row, err
	}
}

// sendShard sends a shard to the queue of the worker.
func (a *App) sendShard(ctx context.Context, s pipeline.Shard) error {
	if a.passes.shards == nil {
		return errors.New("there is no topic for the shards of a pass")
	}
	m, err := cloudevents.ShardMessage(ctx, s)
	if err != nil {
		return pipeline.Permanent(err)
	}
	return a.passes.shards.Publish(a.config.Shards, m)
}
