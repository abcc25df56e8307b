package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
)

// rememberedEvents bounds the memory of what was done: about 2 MB. It only
// spares work; the record in the bucket is what makes handling idempotent.
const rememberedEvents = 16384

// errDuplicate tells each that this process has already done the event's work.
var errDuplicate = errors.New("duplicate")

// deduped lets one event at a time work on an object and spares an event that
// this process has already done. A claim is taken at the start, becomes a commit
// only when the work is done and is released in any case, so that a failed event
// is never taken for a duplicate when it comes again.
//
// A second delivery for an object in work waits for the first instead of going
// back to the queue, where it would burn a delivery.
func deduped(c *claims, handle Handler) Handler {
	return func(ctx context.Context, e Event) error {
		release, err := c.claim(ctx, e.Object)
		if err != nil {
			return err // cancelled while it waited: goes back to the queue
		}
		defer release()
		if c.isDone(e) {
			return errDuplicate
		}
		if err := handle(ctx, e); err != nil {
			return err
		}
		c.commit(e)
		return nil
	}
}

// claims is what the deliveries of one process know of each other.
type claims struct {
	mu    sync.Mutex
	held  map[objectName]chan struct{} // closed on release
	done  map[fingerprint]struct{}
	order []fingerprint // of done, a ring
	next  int           // oldest in order once it is full
}

type objectName struct{ bucket, key string }

// fingerprint stands for an event's identity, which may be kilobytes long.
type fingerprint [sha256.Size]byte

func newClaims() *claims {
	return &claims{held: make(map[objectName]chan struct{}), done: make(map[fingerprint]struct{})}
}

// claim waits until the object is free and takes it. The error is the
// cancellation cause of ctx.
func (c *claims) claim(ctx context.Context, o Object) (release func(), err error) {
	name := objectName{o.Bucket, o.Key}
	for {
		c.mu.Lock()
		busy := c.held[name]
		if busy == nil {
			mine := make(chan struct{})
			c.held[name] = mine
			c.mu.Unlock()
			return func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				delete(c.held, name)
				close(mine)
			}, nil
		}
		c.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (c *claims) isDone(e Event) bool {
	id, ok := fingerprintOf(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, done := c.done[id]
	return ok && done
}

// commit remembers that the event's work is done. The caller holds the claim.
func (c *claims) commit(e Event) {
	id, ok := fingerprintOf(e)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.order) < rememberedEvents {
		c.order = append(c.order, id)
	} else {
		delete(c.done, c.order[c.next])
		c.order[c.next] = id
		c.next = (c.next + 1) % rememberedEvents
	}
	c.done[id] = struct{}{}
}

// fingerprintOf reports false for an event that cannot be told from others.
func fingerprintOf(e Event) (fingerprint, bool) {
	id := e.Identity()
	return sha256.Sum256([]byte(id)), id != ""
}
