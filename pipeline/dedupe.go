package pipeline

import (
	"context"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// rememberedEvents bounds the memory of what was done, at some 200 bytes each.
// It only spares work; the record in the bucket is what makes handling
// idempotent.
const rememberedEvents = 16384

// deduped lets one delivery at a time work on an object and spares an event
// that this process has already done. A claim is taken at the start, becomes a
// commit only when the work is done and is released on any failure, so that a
// failed message is never taken for a duplicate when it comes again.
//
// A second delivery for an object in work waits for the first instead of going
// back to the queue, where it would burn a delivery.
func deduped(c *claims) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			b := batchOf(msg)
			release, err := c.claim(msg.Context(), objectsOf(b))
			if err != nil {
				return nil, err // cancelled while it waited: goes back to the queue
			}
			defer release()
			for i := range b {
				if c.isDone(b[i].Event) {
					b[i].Duplicate, b[i].settled = true, true
				}
			}
			defer func() { // also when one event of several failed
				for _, h := range b {
					if h.settled && h.Err == nil {
						c.commit(h.Event)
					}
				}
			}()
			return next(msg)
		}
	}
}

// objectsOf returns the names of the objects that the events ask to work on,
// sorted, so that two messages with the same objects cannot wait for each other.
func objectsOf(b batch) []string {
	var names []string
	for _, h := range b {
		if !h.settled {
			names = append(names, h.Event.Object.Bucket+"\x00"+h.Event.Object.Key)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// claims is what the deliveries of one process know of each other.
type claims struct {
	mu    sync.Mutex
	held  map[string]chan struct{} // by object; closed on release
	done  map[string]struct{}      // by event identity
	order []string                 // of done, a ring
	next  int                      // oldest in order once it is full
}

func newClaims() *claims {
	return &claims{held: make(map[string]chan struct{}), done: make(map[string]struct{})}
}

// claim waits until all the objects are free and takes them. names are sorted.
func (c *claims) claim(ctx context.Context, names []string) (release func(), err error) {
	taken := 0
	release = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, name := range names[:taken] {
			close(c.held[name])
			delete(c.held, name)
		}
	}
	for _, name := range names {
		if err := c.claimOne(ctx, name); err != nil {
			release()
			return nil, err
		}
		taken++
	}
	return release, nil
}

func (c *claims) claimOne(ctx context.Context, name string) error {
	for {
		c.mu.Lock()
		held, busy := c.held[name]
		if !busy {
			c.held[name] = make(chan struct{})
		}
		c.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-held:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *claims) isDone(e Event) bool {
	id := e.Identity()
	c.mu.Lock()
	defer c.mu.Unlock()
	_, done := c.done[id]
	return id != "" && done
}

func (c *claims) commit(e Event) {
	id := e.Identity()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.done[id]; known || id == "" {
		return
	}
	if len(c.order) < rememberedEvents {
		c.order = append(c.order, id)
	} else {
		delete(c.done, c.order[c.next])
		c.order[c.next] = id
		c.next = (c.next + 1) % rememberedEvents
	}
	c.done[id] = struct{}{}
}
