package cloudpubsub

import (
	"context"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"gocloud.dev/pubsub"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// deliverLeased is deliver for a queue whose messages are held by leases.
func (s *Subscriber) deliverLeased(intake context.Context, q *openQueue, m *pubsub.Message, out chan<- *message.Message) {
	defer func() { <-q.slots }()
	// The lease settles the message with the queue. gocloud only has to know
	// that nobody needs it any more.
	defer nack(m)
	lease, err := s.config.Lease(intake, q.url, m)
	if err != nil {
		// Without a lease it is somebody else's, or soon will be.
		s.config.Log.Warn("message cannot be held", "queue", redacted(q.url), "message_id", m.LoggableID, "err", err)
		return
	}
	defer s.config.Watch.Begin(lease)()
	msg, _ := q.message(m)
	q.attempts.acked(msg.UUID) // the queue counts
	msg.Metadata.Set(pipeline.MetadataAttempt, strconv.Itoa(lease.Attempt()))
	work, cancel := context.WithCancelCause(context.WithoutCancel(intake))
	defer cancel(nil)
	defer context.AfterFunc(lease.Context(), func() { cancel(context.Cause(lease.Context())) })()
	msg.SetContext(work)

	// The queue is told until it listens; when Close has waited long enough it
	// has one more moment.
	tell, quit := context.WithCancel(context.WithoutCancel(intake))
	defer quit()
	defer context.AfterFunc(s.overdue, func() { time.AfterFunc(2*queue.SettleTime, quit) })()

	done := func() { cancel(nil) }
	acked := s.hand(intake, msg, out) && queue.Settled(msg, s.overdue.Done(), done)
	done()
	told := s.config.Watch.Settling(msg, acked)
	if acked {
		err = lease.Ack(tell) // the consumer has said that the work is done
	} else {
		delay := s.config.NackDelay(lease.Attempt())
		if intake.Err() != nil || s.stopping.Err() != nil {
			delay = 0 // somebody who stays can have it
		}
		err = lease.Nack(tell, delay) // the work is not done
	}
	told(err)
	if err != nil {
		s.config.Log.Warn("message may be delivered again", "queue", redacted(q.url), "message_id", m.LoggableID, "acked", acked, "err", err)
	}
}

// stopReceiving ends the receives that gocloud has under way in the background,
// so that nothing arrives any more that nobody takes. Without leases
// subscriptions stay open, because acks go through them.
func stopReceiving(queues map[string]*openQueue) {
	for _, q := range queues {
		q.mu.Lock()
		live := q.live
		q.mu.Unlock()
		live.end() // Close returns its error
	}
}
