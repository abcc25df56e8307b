package app

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// backlog bounds how many messages of a queue in memory are not handled yet: a
// folder of a million files must not become a million messages at once.
type backlog struct {
	message.Publisher
	slots chan struct{} // an element for each message that is not handled yet
}

func newBacklog(p message.Publisher, most int) *backlog {
	return &backlog{p, make(chan struct{}, most)}
}

// Publish waits until there is room, or until the message's context ends.
func (b *backlog) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		select {
		case b.slots <- struct{}{}:
		case <-m.Context().Done():
			return context.Cause(m.Context())
		}
		if err := b.Publisher.Publish(topic, m); err != nil {
			<-b.slots
			return err
		}
	}
	return nil
}

// handled makes room for what came to its end; a continuation has the room of its
// message.
func (b *backlog) handled(d pipeline.Delivery) {
	if d.Fate != pipeline.Nacked && d.Fate != pipeline.Continued {
		<-b.slots
	}
}
