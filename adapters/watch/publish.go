package watch

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// publishWaits are the waits before an event is published again.
var publishWaits = backoff.Backoff{First: 100 * time.Millisecond, Longest: 10 * time.Second}

// publishAll publishes the changes one after the other until ctx ends.
func publishAll(ctx context.Context, c Config, outbox *mailbox) {
	var sequence sequencer
	for ctx.Err() == nil {
		for _, ch := range outbox.all() {
			if ctx.Err() != nil {
				return
			}
			if ch.initial && !ch.deleted && isCurrent(ctx, c, ch) {
				continue
			}
			e := newEvent(c.Bucket, ch, sequence.next(time.Now()))
			if !publish(ctx, c, ch.key, e.ID, e.encode()) {
				return // the outbox still counts it
			}
		}
		select {
		case <-outbox.filled:
		case <-ctx.Done():
		}
	}
}

// isCurrent reports whether the work for a file that existed at the start is done
// already. If that cannot be found out it returns false: work that is done twice
// is better than work that is never done.
func isCurrent(ctx context.Context, c Config, ch change) bool {
	if c.Current == nil {
		return false
	}
	current, err := c.Current(ctx, ch.object(c.Bucket))
	if err != nil && ctx.Err() == nil {
		c.Log.Warn("whether the object has a record cannot be found out", "key", ch.key, "err", err)
	}
	return current && err == nil
}

// publish tries until the publisher accepts the message, or returns false when ctx ends.
func publish(ctx context.Context, c Config, key, id string, body []byte) bool {
	for attempt := 1; ctx.Err() == nil; attempt++ {
		m := message.NewMessage(id, body)
		m.SetContext(ctx)
		err := c.Publisher.Publish(c.Topic, m)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			break
		}
		c.Log.Warn("event could not be published and is tried again",
			"key", key, "message_id", id, "attempt", attempt, "err", err)
		publishWaits.Wait(ctx, attempt)
	}
	return false
}
