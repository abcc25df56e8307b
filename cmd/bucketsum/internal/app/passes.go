package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
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
	w := &sweep.Worker{
		Reports: a.passes.reports, Send: a.sendShard, Version: a.config.Version, Concurrency: a.config.Concurrency,
		Cut: cut, Stop: a.passes.stop, Log: a.config.Log,
		Open: func(p sweep.Plan, bucket string) (sweep.Bucket, error) {
			store, ok := a.config.Stores[bucket]
			if !ok {
				return sweep.Bucket{}, fmt.Errorf("bucket %q %w", bucket, pipeline.ErrUnknownBucket)
			}
			examine, err := handlers.Examine(c, p)
			if err != nil {
				return sweep.Bucket{}, pipeline.Permanent(err)
			}
			source, err := store.Lists(p.Options)
			if err != nil {
				return sweep.Bucket{}, pipeline.Permanent(err)
			}
			return sweep.Bucket{Source: source, Examine: a.counted(examine, slots), Keys: true}, nil
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
