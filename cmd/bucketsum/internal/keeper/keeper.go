// Package keeper keeps the last dead letters of a queue in memory, so that they can be looked at, sent again or discarded.
package keeper

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// A keeper keeps the last dead letters up to these bounds.
	mostKept      = 1000
	mostKeptBytes = 4 << 20
	// Wait is how long a redrive waits for more: everything is there at once.
	Wait = 50 * time.Millisecond
	// requeueWait bounds how long a message that is sent again waits for room in its queue.
	requeueWait = 15 * time.Second
)

// Keeper takes the dead letters from a queue in memory and keeps the last ones. To a redrive it is the driver of two
// queues: that of the dead letters, and that to which they are sent. Safe for concurrent use.
type Keeper struct {
	scheme  string
	publish func(*message.Message) error // to the queue of events

	mu      sync.Mutex
	letters []*keptLetter // oldest first
	bytes   int
	changed chan struct{} // closed when a letter can be received
}

// New returns a keeper whose URLs have this scheme. publish sends a message to the queue of events.
func New(scheme string, publish func(*message.Message) error) *Keeper {
	return &Keeper{scheme: scheme, publish: publish, changed: make(chan struct{})}
}

// keptLetter is a dead letter that a keeper has.
type keptLetter struct {
	message *message.Message
	at      time.Time
	objects []pipeline.Object
	leased  bool
}

// Add keeps a dead letter, and may drop the oldest ones for it.
func (k *Keeper) Add(m *message.Message) {
	l := &keptLetter{message: m.Copy(), at: time.Now()}
	es, _ := events.Decode(m.Payload, m.Metadata) // a message that cannot be decoded has none
	for _, e := range es {
		l.objects = append(l.objects, e.Object)
	}
	k.change(func() {
		k.letters = append(k.letters, l)
		k.bytes += len(m.Payload)
		for len(k.letters) > mostKept || k.bytes > mostKeptBytes && len(k.letters) > 1 {
			k.drop(0)
		}
	})
}

// drop removes a letter. The caller holds k.mu.
func (k *Keeper) drop(i int) {
	k.bytes -= len(k.letters[i].message.Payload)
	k.letters = slices.Delete(k.letters, i, i+1)
}

func (k *Keeper) change(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
	close(k.changed)
	k.changed = make(chan struct{})
}

// Succeeded drops the letters that are about this object alone: nothing is left to do.
func (k *Keeper) Succeeded(o pipeline.Object) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := len(k.letters) - 1; i >= 0; i-- {
		if l := k.letters[i]; !l.leased && len(l.objects) == 1 && l.objects[0].Bucket == o.Bucket && l.objects[0].Key == o.Key {
			k.drop(i)
		}
	}
}

// Traits implements queue.Driver. The queue is in this process, which is the one that redrives it.
func (k *Keeper) Traits() queue.Traits {
	return queue.Traits{Schemes: []queue.Scheme{{Name: k.scheme}}, Count: k.count}
}

func (k *Keeper) count(context.Context, string) (queue.Count, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := queue.Count{Exact: true}
	for _, l := range k.letters {
		if l.leased {
			c.Held++
		} else {
			c.Waiting++
		}
	}
	return c, nil
}

// OpenTopic implements queue.Driver: it is the queue of events.
func (k *Keeper) OpenTopic(context.Context, string) (queue.Topic, error) { return requeue{k}, nil }

// OpenQueue implements queue.Driver: it is the queue of dead letters.
func (k *Keeper) OpenQueue(context.Context, string, int) (queue.Queue, error) {
	return &keptQueue{k}, nil
}

type requeue struct{ *Keeper }

func (r requeue) Send(ctx context.Context, m *message.Message) error {
	ctx, cancel := context.WithTimeout(ctx, requeueWait)
	defer cancel()
	m.SetContext(ctx)
	if err := r.publish(m); err != nil {
		return fmt.Errorf("the queue takes no more messages now: %w", err)
	}
	return nil
}

func (requeue) Close() error { return nil }

type keptQueue struct{ *Keeper }

func (q *keptQueue) Receive(ctx context.Context, n int) ([]queue.Delivery, error) {
	for {
		got, changed := q.take(n)
		if len(got) > 0 {
			return got, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take leases up to n letters, the newest first: those are the ones that the page shows.
func (q *keptQueue) take(n int) (got []queue.Delivery, changed chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range slices.Backward(q.letters) {
		if l.leased || len(got) == n {
			continue
		}
		l.leased = true
		m := message.NewMessage(l.message.UUID, l.message.Payload)
		m.Metadata = maps.Clone(l.message.Metadata)
		got = append(got, queue.Delivery{Message: m, Lease: queue.Hold(keptHandle{q.Keeper, l}, 1, 0), Sent: l.at})
	}
	return got, q.changed
}

func (q *keptQueue) Close() error { return nil }

// keptHandle settles a letter.
type keptHandle struct {
	k *Keeper
	l *keptLetter
}

func (keptHandle) Extend(context.Context, time.Duration) error { return nil }

func (h keptHandle) Ack(context.Context) error {
	h.k.mu.Lock()
	defer h.k.mu.Unlock()
	if i := slices.Index(h.k.letters, h.l); i >= 0 { // it may have made room for newer ones
		h.k.drop(i)
	}
	return nil
}

func (h keptHandle) Nack(context.Context, time.Duration) error {
	h.k.change(func() { h.l.leased = false })
	return nil
}
