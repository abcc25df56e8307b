package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"

	"github.com/bucketsum/bucketsum/pipeline/keylock"
)

// rememberedEvents bounds the memory of what was done: about 2 MB. It only
// spares work; the record in the bucket is what makes handling idempotent.
const rememberedEvents = 16384

// errDuplicate tells each that this process has already done the event's work.
var errDuplicate = errors.New("duplicate")

// deduped lets one event at a time work on an object and skips an event whose
// work this process has already done. The event holds the lock of its object
// while it works, and is remembered only when the work is done. So a failed event
// is never taken for a duplicate when it is redelivered.
//
// A second delivery for an object in work waits for the first instead of going
// back to the queue, where it would use up a delivery.
func deduped(d *dedupe, handle Handler) Handler {
	return func(ctx context.Context, e Event) error {
		unlock, err := d.objects.Lock(ctx, objectName{e.Object.Bucket, e.Object.Key})
		if err != nil {
			return err // cancelled while it waited: goes back to the queue
		}
		defer unlock()
		if d.isDone(e) {
			return errDuplicate
		}
		if err := handle(ctx, e); err != nil {
			return err
		}
		d.commit(e)
		return nil
	}
}

// dedupe is what the deliveries of one process know of each other. The zero
// value is ready.
type dedupe struct {
	objects keylock.Locks[objectName]

	mu    sync.Mutex
	done  map[fingerprint]struct{}
	order []fingerprint // of done, a ring
	next  int           // oldest in order once it is full
}

type objectName struct{ bucket, key string }

// fingerprint stands for an event's identity, which may be kilobytes long.
type fingerprint [sha256.Size]byte

func (d *dedupe) isDone(e Event) bool {
	id, ok := fingerprintOf(e)
	d.mu.Lock()
	defer d.mu.Unlock()
	_, done := d.done[id]
	return ok && done
}

// commit remembers that the event's work is done. The caller holds the
// object's lock.
func (d *dedupe) commit(e Event) {
	id, ok := fingerprintOf(e)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.order) < rememberedEvents {
		d.order = append(d.order, id)
	} else {
		delete(d.done, d.order[d.next])
		d.order[d.next] = id
		d.next = (d.next + 1) % rememberedEvents
	}
	if d.done == nil {
		d.done = make(map[fingerprint]struct{})
	}
	d.done[id] = struct{}{}
}

// fingerprintOf reports false for an event that cannot be told from others.
func fingerprintOf(e Event) (fingerprint, bool) {
	id := e.Identity()
	return sha256.Sum256([]byte(id)), id != ""
}
