package redrive

import (
	"context"
	"fmt"
	"maps"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// handle decides about a message, which has a slot. It returns at once.
func (r *run) handle(d queue.Delivery) {
	mark := r.memory.mark(d.Message)
	past := r.memory.recall(mark, d)
	if past == sameMessage {
		r.working.Go(func() {
			defer r.free()
			r.delete(d)
		})
		return
	}
	l := letter{reason: d.Message.Metadata.Get(pipeline.MetadataReason)}
	events, _ := r.Decode(d.Message.Payload, d.Message.Metadata) // a message that cannot be decoded has none
	l.objects = objectsOf(events)
	l.kind = kindOf(l.reason, l.objects)
	k := kept{lease: d.Lease, size: len(d.Message.Payload), matched: r.Match.matches(l)}
	k.group = r.tally.found(l, d.Message.UUID, d.Sent, k.matched)
	if !k.matched || r.Action == Look || r.taken >= r.Limit {
		r.held.add(k)
		r.free()
		return
	}
	if past == sentBefore && (d.Sent.IsZero() || !d.Sent.Before(r.began)) {
		k.cameBack = true
		r.tally.count(k.group, func(c *Tally) { c.CameBack++ })
		r.held.add(k)
		r.free()
		return
	}
	r.taken++
	r.working.Go(func() {
		defer r.free()
		r.work(d, k, mark, l.objects)
	})
}

func (r *run) free() { <-r.slots }

// work sends and deletes one message, and holds it back if that fails. It is not interrupted.
func (r *run) work(d queue.Delivery, k kept, mark uint64, objects []pipeline.Object) {
	if r.Action == Send {
		if err := r.send(d, mark); err != nil {
			r.tally.failed(k.group, err)
			k.failed = true
			r.held.add(k)
			return
		}
		r.tally.count(k.group, func(c *Tally) { c.Sent++ })
		r.delete(d)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	if err := d.Lease.Ack(ctx); err != nil {
		r.tally.failed(k.group, redact.Error(err, r.From))
		return
	}
	r.tally.count(k.group, func(c *Tally) { c.Discarded++ })
	if r.Discarded != nil {
		r.Discarded(objects)
	}
}

// delete deletes a message that was sent. If that fails, it is deleted when it comes again.
func (r *run) delete(d queue.Delivery) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	if err := d.Lease.Ack(ctx); err != nil {
		r.Log.Warn("message was sent, but the queue did not delete it: it may be sent twice", "message_id", d.Message.UUID, "err", redact.Error(err, r.From))
	}
}

// send sends the message without what the pipeline has added to it.
func (r *run) send(d queue.Delivery, mark uint64) (err error) {
	m := message.NewMessage(d.Message.UUID, d.Message.Payload)
	m.Metadata = maps.Clone(d.Message.Metadata)
	delete(m.Metadata, pipeline.MetadataReason)
	delete(m.Metadata, pipeline.MetadataAttempt)
	r.memory.sending(mark, d) // before a worker can send it back
	ctx := context.WithoutCancel(d.Lease.Context())
	for attempt := 1; ; attempt++ {
		if err = r.topic.Send(ctx, m); err == nil {
			break
		}
		if attempt == attempts || pipeline.Classify(err) == pipeline.ClassPermanent || !pauses.Wait(d.Lease.Context(), attempt) {
			break
		}
	}
	r.memory.sent(mark, err == nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.fails = 0
		return nil
	}
	err = fmt.Errorf("send to %s: %w", redact.URL(r.To), redact.Error(err, r.To))
	if r.fails++; r.fails >= hopeless && r.fault == nil {
		r.fault = fmt.Errorf("%d messages in a row could not be sent: %w", r.fails, err)
	}
	return err
}

func (r *run) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}
