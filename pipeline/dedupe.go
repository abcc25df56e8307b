package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"

	"github.com/bucketsum/bucketsum/pipeline/keylock"
)

// rememberedEvents limits the memory of events to about 3 MB. The memory only saves work; the record
// in the bucket makes the handling idempotent.
const rememberedEvents = 16384

// errDuplicate tells each that this process has already done the work of the event.
var errDuplicate = errors.New("duplicate")

// eachHandler handles one event of a delivery.
type eachHandler func(context.Context, Event, delivered) error

// delivered names a delivery of a message.
type delivered struct {
	message string // its UUID
	attempt int    // from 1
}

// deduped handles one event of an object at a time and skips events whose work this process has
// already done. An event holds the lock of its object during the work and is remembered only when
// the work is done, so a failed event is never a duplicate when it is redelivered.
//
// A second delivery for the same object waits for the first one. Giving it back to the queue would
// use up one of its deliveries.
func deduped(d *dedupe, handle Handler) eachHandler {
	return func(ctx context.Context, e Event, now delivered) error {
		unlock, err := d.objects.Lock(ctx, objectName{e.Object.Bucket, e.Object.Key})
		if err != nil {
			return err // Nack: it was cancelled while it waited.
		}
		defer unlock()
		if d.isDone(e, now) {
			d.commit(e, now)
			return errDuplicate
		}
		if err := handle(ctx, e); err != nil {
			return err
		}
		d.commit(e, now)
		return nil
	}
}

// dedupe is shared by the deliveries of one process. The zero value is ready to use.
type dedupe struct {
	objects keylock.Locks[objectName]

	mu    sync.Mutex
	done  map[fingerprint]delivered // the last delivery with the event
	order []fingerprint             // the keys of done, a ring
	next  int                       // the oldest one in order, once it is full
}

type objectName struct{ bucket, key string }

// fingerprint is a hash of an event's identity, which may be kilobytes long.
type fingerprint [sha256.Size]byte

// isDone reports whether the work of the event needs no repetition. On a redelivery it does, unless this
// process had the delivery before that, too: another worker may have written a record late, and have died
// before it looked at the object again.
func (d *dedupe) isDone(e Event, now delivered) bool {
	id, ok := fingerprintOf(e)
	d.mu.Lock()
	defer d.mu.Unlock()
	last, done := d.done[id]
	return ok && done && (now.attempt == 1 || last == now || last == delivered{now.message, now.attempt - 1})
}

// commit remembers that the work of the event is done. The caller holds the object's lock.
func (d *dedupe) commit(e Event, now delivered) {
	id, ok := fingerprintOf(e)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(map[fingerprint]delivered)
	}
	if _, known := d.done[id]; known {
		d.done[id] = now
		return
	}
	if len(d.order) < rememberedEvents {
		d.order = append(d.order, id)
	} else {
		delete(d.done, d.order[d.next])
		d.order[d.next] = id
		d.next = (d.next + 1) % rememberedEvents
	}
	d.done[id] = now
}

// fingerprintOf reports false for an event without an identity.
func fingerprintOf(e Event) (fingerprint, bool) {
	id := e.Identity()
	return sha256.Sum256([]byte(id)), id != ""
}
