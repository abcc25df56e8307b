package queue

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// settleTime is how long a consumer has to nack a message after Close cancelled
// its context, and how long the engine then still tries to tell the queue. It also
// bounds how long messages that go back wait for the end of the intake.
const settleTime = time.Second

// deliver hands one message to the consumer, waits until it is settled, and
// settles it with the queue. It frees the message's slot. intake ends when no
// message may be handed on any more, and left is closed when the queue knows that.
func (s *Subscriber) deliver(intake context.Context, left <-chan struct{}, q *source, d Delivery, out chan<- *message.Message) {
	free := sync.OnceFunc(func() { <-q.slots })
	defer free()
	msg, lease := d.Message, d.Lease
	if msg.UUID == "" {
		msg.UUID = watermill.NewUUID()
	}
	defer s.observe(lease)()
	// An attempt that the message brings along is of another queue: it may be a
	// redriven dead letter.
	msg.Metadata.Set(pipeline.MetadataAttempt, strconv.Itoa(lease.Attempt()))
	work, cancel := context.WithCancelCause(context.WithoutCancel(intake))
	defer cancel(nil)
	defer context.AfterFunc(lease.Context(), func() { cancel(context.Cause(lease.Context())) })()
	msg.SetContext(work)

	acked := s.hand(intake, msg, out) && s.settled(msg, cancel)
	if !acked && !s.leaving(intake) {
		delay := s.config.NackDelay(lease.Attempt())
		if s.traits.DelaysNacks {
			s.settle(intake, q, d, false, delay) // the work is not done: again later
			return
		}
		cancel(nil) // the consumer has finished with the message
		q.wait(intake, lease, delay, free)
	}
	if !acked && s.leaving(intake) {
		// Until the queue knows, it could deliver the message to this subscription again.
		select {
		case <-left:
		case <-time.After(settleTime):
		}
	}
	// Acked: the consumer says that the work is done. Otherwise it is not done,
	// and a delay is over or the message goes to a worker that stays.
	s.settle(intake, q, d, acked, 0)
}

// hand reports whether the consumer has taken the message.
func (s *Subscriber) hand(intake context.Context, msg *message.Message, out chan<- *message.Message) bool {
	if s.leaving(intake) {
		return false // even if a consumer is ready
	}
	select {
	case out <- msg:
		return true
	case <-s.stopping.Done(): // intake ends a moment later
	case <-intake.Done():
	case <-msg.Context().Done(): // the lease is lost
	}
	return false
}

func (s *Subscriber) leaving(intake context.Context) bool {
	return s.stopping.Err() != nil || intake.Err() != nil
}

// settled waits until the consumer acks or nacks the message and reports whether
// it acked. When Close has waited long enough, it cancels the message's context;
// settleTime later silence counts as a nack.
func (s *Subscriber) settled(m *message.Message, cancel context.CancelCauseFunc) (acked bool) {
	select {
	case <-m.Acked():
		return true
	case <-m.Nacked():
		return false
	case <-s.overdue.Done():
	}
	cancel(errors.New("subscriber closes"))
	grace := time.NewTimer(settleTime)
	defer grace.Stop()
	select {
	case <-m.Acked():
		return true
	case <-m.Nacked():
	case <-grace.C:
	}
	return false
}

// settle acks or nacks the message with the queue. It tries until the queue
// answers; once Close has waited long enough it tries for two more settleTimes.
func (s *Subscriber) settle(intake context.Context, q *source, d Delivery, acked bool, delay time.Duration) {
	ctx, quit := context.WithCancel(context.WithoutCancel(intake))
	defer quit()
	defer context.AfterFunc(s.overdue, func() { time.AfterFunc(2*settleTime, quit) })()
	step, tell := pipeline.StepAck, d.Lease.Ack
	if !acked {
		step, tell = pipeline.StepNack, func(ctx context.Context) error { return d.Lease.Nack(ctx, delay) }
	}
	err := s.config.Observer.Do(contextOf(d.Message), step, pipeline.Object{}, func(context.Context) error { return tell(ctx) })
	if err != nil {
		s.config.Log.Warn("message may be delivered again", "queue", redact.URL(q.url), "message_id", d.Message.UUID, "acked", acked, "err", redact.Error(err, q.url))
	}
}

// contextOf returns the context that the consumer gave to the message, if it has settled the message.
func contextOf(m *message.Message) context.Context {
	select {
	case <-m.Acked():
	case <-m.Nacked():
	default:
		return context.Background() // the consumer may still use the message
	}
	return m.Context()
}

// observe reports the extensions of a lease to the observer, and at the end whether it was lost.
func (s *Subscriber) observe(l *Lease) (end func()) {
	l.OnExtend(func() { s.config.Observer.Lease(pipeline.LeaseExtended) })
	return func() {
		if errors.Is(context.Cause(l.Context()), pipeline.ErrLeaseLost) {
			s.config.Observer.Lease(pipeline.LeaseLost)
		}
	}
}
