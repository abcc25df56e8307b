package app

import (
	"context"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

const (
	// sweepAge is the age of checkpoints that are left behind: no queue in usual use keeps a
	// message longer that could continue the work.
	sweepAge = 14 * 24 * time.Hour
	// sweepMost bounds the checkpoints that one sweep of a bucket deletes.
	sweepMost  = 1000
	sweepEvery = 24 * time.Hour
	// sweepSoon is when the first sweep begins, at the earliest; it is up to ten times later,
	// so that the workers of a deployment do not sweep together.
	sweepSoon = time.Minute
)

// sweepCheckpoints deletes the checkpoints of objects that no worker works on any more, once a
// day until ctx ends. Where it may not list them, a lifecycle rule has to do it.
func (a *App) sweepCheckpoints(ctx context.Context) error {
	for wait := sweepSoon + backoff.Random(9*sweepSoon); backoff.Sleep(ctx, wait); wait = sweepEvery {
		for _, name := range a.Buckets() {
			n, err := a.config.Stores[name].SweepCheckpoints(ctx, time.Now().Add(-sweepAge), sweepMost)
			if err != nil && ctx.Err() == nil {
				a.config.Log.Debug("checkpoints that are left behind were not deleted", "bucket", name, "err", err)
			}
			if n > 0 {
				a.config.Log.Info("checkpoints that were left behind are deleted", "bucket", name, "checkpoints", n)
			}
		}
	}
	return nil
}
