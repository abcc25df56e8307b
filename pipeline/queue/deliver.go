package queue

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// deliver hands one message on, waits until it is settled and settles it with
// the broker. intake ends when nothing may be handed on any more.
func (s *Subscriber) deliver(intake context.Context, q *queue, d Delivery, out chan<- *message.Message) {
	msg, lease := d.Message, d.Lease
	if msg.UUID == "" {
		msg.UUID = watermill.NewUUID()
	}
	defer s.config.Watch.Begin(lease)()
	// The attempt that a message brings is that of another queue, as in a
	// redriven dead letter.
	msg.Metadata.Set(pipeline.MetadataAttempt, strconv.Itoa(lease.Attempt()))
	work, cancel := context.WithCancelCause(context.WithoutCancel(intake))
	defer cancel(nil)
	defer context.AfterFunc(lease.Context(), func() { cancel(context.Cause(lease.Context())) })()
	msg.SetContext(work)

	// The broker is told until it listens; when Close has waited long enough it
	// has one more moment.
	tell, quit := context.WithCancel(context.WithoutCancel(intake))
	defer quit()
	defer context.AfterFunc(s.overdue, func() { time.AfterFunc(2*SettleTime, quit) })()

	var err error
	acked := s.hand(intake, msg, out) && Settled(msg, s.overdue.Done(), func() { cancel(errors.New("subscriber closes")) })
	told := s.config.Watch.Settling(msg, acked)
	if acked {
		err = lease.Ack(tell) // the consumer has said that the work is done
	} else {
		delay := s.config.NackDelay(lease.Attempt())
		if intake.Err() != nil {
			delay = 0 // somebody who stays can have it
		}
		err = lease.Nack(tell, delay) // the work is not done
	}
	told(err)
	if err != nil {
		s.config.Log.Warn("message may be delivered again", "queue", Redacted(q.url), "message_id", msg.UUID, "acked", acked, "err", Redact(err, q.url))
	}
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
	case <-msg.Context().Done(): // the lease is lost
	}
	return false
}
