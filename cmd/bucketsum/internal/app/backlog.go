package app

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/watch"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
)

// backlog bounds the number of unhandled messages of a queue in memory: a folder of a
// million files must not become a million messages at once.
type backlog struct {
	message.Publisher
	slots chan struct{} // one element for each unhandled message; its capacity is the bound
}

// Publish waits for room in the backlog, or until the message's context ends.
func (b *backlog) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		select {
		case b.slots <- struct{}{}:
		case <-m.Context().Done():
			return context.Cause(m.Context())
		}
		if err := b.Publisher.Publish(topic, m); err != nil {
			b.free()
			return err
		}
	}
	return nil
}

// handled makes room after a delivery that is final. A message that comes back keeps its
// place, and a continuation takes the place of its message.
func (b *backlog) handled(d pipeline.Delivery) {
	if d.Fate != pipeline.Nacked && d.Fate != pipeline.Continued {
		b.free()
	}
}

// free gives a place back, if one is taken. It never waits: a message can be handled that has no place, because its
// Publish was interrupted after the queue had it, or because the queue has delivered it twice. Its worker would wait
// for ever.
func (b *backlog) free() {
	select {
	case <-b.slots:
	default:
	}
}

func unhandled(folder *watch.Folder, waiting *backlog) int {
	return folder.Progress().Waiting + len(waiting.slots)
}

// waits returns what tells what waits for the worker, and why if it is a fault that passes. It has a folder and a
// backlog of its own, because a page may ask while the folder is opened again.
func (l *local) waits(folder *watch.Folder, waiting *backlog) func() *live.Waiting {
	return func() *live.Waiting {
		n := unhandled(folder, waiting) - l.activity.Status().InWorkCount
		w := &live.Waiting{Count: int64(max(n, 0)), Bound: live.Exactly, Reason: l.patience.faultsNow()}
		if !isClosed(folder.Ready()) {
			w.Bound = live.AtLeast
		}
		return w
	}
}
