package pipeline

import (
	"context"
	"crypto/sha256"
	"sync"

	"github.com/bucketsum/bucketsum/pipeline/keylock"
)

// rememberedEvents limits the memory of events to about 2 MB.
const rememberedEvents = 16384

// eachHandler handles one event of a delivery. attempt counts the deliveries of the message, from 1.
type eachHandler func(ctx context.Context, e Event, attempt int) error

// deduped handles one event of an object at a time and marks the events that came before, so that the handler
// looks at the record before it reads the object. It skips none: the event of a redelivered message, or of one
// that an operator put back, may be the only one that repairs a record.
//
// A second delivery for the same object, or for the same shard of a pass, waits for the first one. Giving it back to
// the queue would use up one of its deliveries.
func deduped(d *dedupe, handle Handler) eachHandler {
	return func(ctx context.Context, e Event, attempt int) error {
		name := objectName{e.Object.Bucket, e.Object.Key}
		if e.Shard != nil {
			name.key = "\x00" + e.Shard.String() // no object has such a key
		}
		unlock, err := d.objects.Lock(ctx, name)
		if err != nil {
			return err // Nack: it was cancelled while it waited.
		}
		defer unlock()
		e.Repeated = d.hadBegun(e) || attempt > 1
		return handle(ctx, e)
	}
}

// dedupe is shared by the deliveries of one process. The zero value is ready to use.
type dedupe struct {
	objects keylock.Locks[objectName]

	mu    sync.Mutex
	begun map[fingerprint]struct{}
	order []fingerprint // the keys of begun, a ring
	next  int           // the oldest one in order, once it is full
}

type objectName struct{ bucket, key string }

// fingerprint is a hash of an event's identity, which may be kilobytes long.
type fingerprint [sha256.Size]byte

// hadBegun remembers an event, and reports whether its work was begun before. It is never true for an event
// without an identity.
func (d *dedupe) hadBegun(e Event) bool {
	identity := e.Identity()
	if identity == "" {
		return false
	}
	id := fingerprint(sha256.Sum256([]byte(identity)))
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, begun := d.begun[id]; begun {
		return true
	}
	if d.begun == nil {
		d.begun = make(map[fingerprint]struct{})
	}
	if len(d.order) < rememberedEvents {
		d.order = append(d.order, id)
	} else {
		delete(d.begun, d.order[d.next])
		d.order[d.next] = id
		d.next = (d.next + 1) % rememberedEvents
	}
	d.begun[id] = struct{}{}
	return false
}
