package app

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// interrupted is a queue whose Publish fails although the message arrives and is handled, as when the worker is told
// to end meanwhile.
type interrupted struct {
	message.Publisher
	handle func()
}

func (p interrupted) Publish(string, ...*message.Message) error {
	p.handle()
	return context.Canceled
}

// TestBacklogNeverHoldsAWorker: messages without a place in the backlog are handled all the same.
func TestBacklogNeverHoldsAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a wait without end fails it
		b := &backlog{slots: make(chan struct{}, 2)}
		b.Publisher = interrupted{handle: func() { b.handled(pipeline.Delivery{Fate: pipeline.Acked}) }}
		if err := b.Publish("queue", message.NewMessage("1", nil)); err == nil {
			t.Error("an interrupted Publish has no error")
		}
		b.handled(pipeline.Delivery{Fate: pipeline.Acked})        // again: the queue has delivered it twice
		b.handled(pipeline.Delivery{Fate: pipeline.DeadLettered}) // and again
		if n := len(b.slots); n != 0 {
			t.Errorf("%d places are taken", n)
		}
	})
}
