package redrive

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// all receives until there is a reason to end.
func (r *run) all(ctx context.Context) (End, error) {
	for broken := 0; ; {
		switch fault := r.failure(); {
		case fault != nil:
			return Broken, fault
		case r.taken >= r.Limit:
			return Limited, nil
		case r.held.full(r.Hold):
			return Full, nil
		}
		free := r.takeSlots(ctx)
		if free == 0 {
			return Interrupted, nil
		}
		got, err := r.receive(ctx, free)
		for range free - len(got) {
			<-r.slots
		}
		for _, d := range got {
			r.handle(d)
		}
		switch {
		case len(got) > 0:
			broken = 0
		case ctx.Err() != nil:
			return Interrupted, nil
		case err == nil:
			return Empty, nil
		}
		for err != nil {
			if broken++; broken >= attempts || pipeline.Classify(err) == pipeline.ClassPermanent {
				return Broken, fmt.Errorf("receive from %s: %w", redact.URL(r.From), redact.Error(err, r.From))
			}
			r.Log.Warn("the queue failed and is opened again", "queue", redact.URL(r.From), "err", redact.Error(err, r.From))
			if err = r.reopen(ctx, broken); ctx.Err() != nil {
				return Interrupted, nil
			}
		}
	}
}

// reopen replaces a queue that failed. Messages that were held come again.
func (r *run) reopen(ctx context.Context, failures int) error {
	if r.queue != nil {
		r.working.Wait()
		r.held.forget(&r.tally, r.Log)
		_ = r.queue.Close() // it is broken
		r.queue = nil
	}
	if !pauses.Wait(ctx, failures) {
		return ctx.Err()
	}
	return r.open(ctx)
}

// takeSlots waits for a free slot and takes all that are free; 0 if ctx has ended.
func (r *run) takeSlots(ctx context.Context) (n int) {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	if ctx.Err() != nil { // both were ready, and chance chose
		<-r.slots
		return 0
	}
	for n = 1; n < cap(r.slots); n++ {
		select {
		case r.slots <- struct{}{}:
		default:
			return n
		}
	}
	return n
}

// receive waits for messages. It returns nothing and no error if the queue is empty. A queue that delivers nothing and
// says that messages wait is only slow, or they wait for others that are held: it has more time.
func (r *run) receive(ctx context.Context, n int) ([]queue.Delivery, error) {
	for patience := 3; ; patience-- {
		for _, wait := range []time.Duration{r.Wait, lastLook} {
			if got, err := r.receiveFor(ctx, wait, n); len(got) > 0 || err != nil {
				return got, err
			}
		}
		if patience == 1 || ctx.Err() != nil || !r.waiting(ctx) {
			return nil, nil
		}
	}
}

// waiting reports whether the queue says that messages wait.
func (r *run) waiting(ctx context.Context) bool {
	count := r.from.Traits().Count
	if count == nil {
		return false
	}
	c, err := count(ctx, r.From)
	return err == nil && c.Waiting > 0
}

func (r *run) receiveFor(ctx context.Context, wait time.Duration, n int) ([]queue.Delivery, error) {
	within, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if count := r.from.Traits().Count; count != nil && wait > hasty {
		var asking sync.WaitGroup
		defer asking.Wait()
		asking.Go(func() {
			c, err := r.countSoon(within, count)
			// What others hold may come back soon. What is ours is counted after the queue has counted: what was
			// finished before that would hide as much of what others hold.
			ours := r.held.count() + len(r.slots) - n
			if err == nil && c.Exact && c.Waiting == 0 && c.Held <= ours {
				cancel()
			}
		})
		defer cancel()
	}
	got, err := r.queue.Receive(within, n)
	if within.Err() != nil && len(got) == 0 {
		return nil, nil
	}
	return got, err
}

func (r *run) countSoon(ctx context.Context, count func(context.Context, string) (queue.Count, error)) (queue.Count, error) {
	if !backoff.Sleep(ctx, min(hasty, r.Wait/2)) {
		return queue.Count{}, ctx.Err()
	}
	return count(ctx, r.From)
}
