package app

import (
	"context"
	"sync/atomic"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
)

// waiting returns a function that tells what waits in the queue, or nil where that is unknown. The queue is asked
// only after a call, at most every 30 s, until end.
func (a *App) waiting(ctx context.Context) (look func() *live.Waiting, end func()) {
	unknown := func() *live.Waiting { return nil }
	if a.config.Waiting != nil {
		return a.config.Waiting, func() {}
	}
	if a.subscriber == nil {
		return unknown, func() {}
	}
	d, err := a.queues.drivers.Of(a.config.Queue)
	if err != nil || d.Traits().Count == nil {
		return unknown, func() {}
	}
	count := d.Traits().Count
	var last atomic.Pointer[live.Waiting]
	asked := web.NewReadiness(ctx, map[string]func(context.Context) error{"count": func(ctx context.Context) error {
		c, err := count(ctx, a.config.Queue)
		if err != nil {
			last.Store(nil)
			return err
		}
		w := live.Waiting{Count: int64(c.Waiting), Bound: live.About, Shared: true}
		if c.Exact {
			w.Bound = live.Exactly
		}
		last.Store(&w)
		return nil
	}})
	return func() *live.Waiting {
		asked.Last()
		return last.Load()
	}, asked.Close
}
