package watch

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Waits before an event is published again.
const (
	firstWait   = 100 * time.Millisecond
	longestWait = 10 * time.Second
)

// change is what happened to one key.
type change struct {
	key     string
	stamp   stamp // of what is there, or was
	deleted bool
	initial bool // was there at the start
	at      time.Time
}

// outbox holds the changes that are not yet published, in the order in which
// their keys came; of each key only the last. Safe for concurrent use.
type outbox struct {
	mu      sync.Mutex
	keys    []string
	changes map[string]change
	filled  chan struct{} // holds one token if there may be changes
}

func newOutbox() *outbox {
	return &outbox{changes: make(map[string]change), filled: make(chan struct{}, 1)}
}

// put adds a change. It never blocks: whoever watches must not wait for whoever
// publishes, and there are never more changes than files.
func (b *outbox) put(c change) {
	b.mu.Lock()
	if _, ok := b.changes[c.key]; !ok {
		b.keys = append(b.keys, c.key)
	}
	b.changes[c.key] = c
	b.mu.Unlock()
	select {
	case b.filled <- struct{}{}:
	default:
	}
}

// take waits for a change and takes it out. It returns false when ctx ends.
func (b *outbox) take(ctx context.Context) (change, bool) {
	for ctx.Err() == nil {
		b.mu.Lock()
		if len(b.keys) > 0 {
			c := b.changes[b.keys[0]]
			b.keys[0] = "" // for the garbage collector
			b.keys = b.keys[1:]
			delete(b.changes, c.key)
			b.mu.Unlock()
			return c, true
		}
		b.keys, b.changes = nil, make(map[string]change) // maps do not shrink
		b.mu.Unlock()
		select {
		case <-b.filled:
		case <-ctx.Done():
		}
	}
	return change{}, false
}

// publishAll publishes what is in the box, one after the other, until ctx ends.
func publishAll(ctx context.Context, c Config, box *outbox) {
	var sequence sequencer
	for {
		ch, ok := box.take(ctx)
		if !ok {
			return
		}
		if ch.initial && !ch.deleted && c.Current != nil {
			current, err := c.Current(ctx, ch.object(c.Bucket))
			if err != nil && ctx.Err() == nil {
				// Announced all the same: done twice is better than never.
				c.Log.Warn("cannot tell whether the object has a record", "key", ch.key, "err", err)
			}
			if current && err == nil {
				continue
			}
		}
		e := newEvent(c.Bucket, ch, sequence.next(time.Now()))
		publish(ctx, c, ch.key, e.ID, e.encode())
	}
}

// publish tries until the publisher has the message or ctx ends.
func publish(ctx context.Context, c Config, key, id string, body []byte) {
	wait := firstWait
	for attempt := 1; ctx.Err() == nil; attempt++ {
		m := message.NewMessage(id, body)
		m.SetContext(ctx)
		err := c.Publisher.Publish(c.Topic, m)
		if err == nil || ctx.Err() != nil {
			return
		}
		c.Log.Warn("event could not be published and is tried again",
			"key", key, "message_id", id, "attempt", attempt, "err", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		wait = min(2*wait, longestWait)
	}
}
