package cloudpubsub

import (
	"context"
	"strconv"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"gocloud.dev/pubsub"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// deliver hands one message on, waits until it is settled and settles it with
// the queue, once. It gives the slot back. intake ends when nothing may be
// handed on any more.
func (s *Subscriber) deliver(intake context.Context, q *openQueue, m *pubsub.Message, out chan<- *message.Message) {
	free := sync.OnceFunc(func() { <-q.slots })
	defer free()

	msg, attempt := q.message(m)
	ctx, cancel := context.WithCancel(context.WithoutCancel(intake))
	defer cancel()
	msg.SetContext(ctx)
	if !s.hand(intake, msg, out) {
		nack(m) // nobody has seen it: back at once
		return
	}
	acked := queue.Settled(msg, s.overdue.Done(), cancel)
	cancel()
	if acked {
		q.attempts.acked(msg.UUID)
		told := s.config.Watch.Settling(msg, true)
		m.Ack()   // the consumer has said that the work is done
		told(nil) // gocloud keeps how it went to itself
		return
	}
	q.attempts.nacked(msg.UUID)
	select {
	case q.waiting <- struct{}{}:
		defer func() { <-q.waiting }()
		free() // while it waits another message may be in flight
	default: // too many wait: this one keeps its slot, so that the intake slows down
	}
	sleep(intake, s.config.NackDelay(attempt))
	nack(m) // the work is not done
}

// hand reports whether the consumer has got the message.
func (s *Subscriber) hand(intake context.Context, msg *message.Message, out chan<- *message.Message) bool {
	if s.stopping.Err() != nil || intake.Err() != nil {
		return false // a consumer that is ready must not win
	}
	select {
	case out <- msg:
		return true
	case <-s.stopping.Done(): // intake follows a moment later
	case <-intake.Done():
	}
	return false
}

// message translates from gocloud to Watermill. The attempt that the message
// brings is that of another queue, as in a redriven dead letter.
func (q *openQueue) message(m *pubsub.Message) (msg *message.Message, attempt int) {
	id := m.Metadata[metadataUUID]
	if id == "" {
		id = m.LoggableID
	}
	if id == "" || id == "unknown" { // what gocloud says if the driver has none
		id = watermill.NewUUID()
	}
	msg = message.NewMessage(id, m.Body)
	for k, v := range m.Metadata {
		if k != metadataUUID {
			msg.Metadata.Set(k, v)
		}
	}
	attempt = q.attempts.next(id)
	msg.Metadata.Set(pipeline.MetadataAttempt, strconv.Itoa(attempt))
	return msg, attempt
}
