package pipelinetest

import (
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// testBound: as many messages as may be are in flight, and never more, also not
// when some are settled and others come.
func testBound(q *queueTest) {
	const concurrency = 3
	c := q.open(concurrency).subscribe()
	c.publish(4 * concurrency)
	held := c.hold(concurrency)
	for range 3 {
		c.quiet()
		c.none("beyond the bound")
		c.leasedAtMost(concurrency + q.Prefetch)
		held[0].Ack()
		held = append(held[1:], c.next())
	}
	if q.Redelivers {
		held[0].Nack()
		held = append(held[1:], c.next())
		c.quiet()
		c.none("beyond the bound after a nack")
	}
	for _, m := range held {
		m.Ack()
	}
	for range 4*concurrency - 3 - concurrency {
		c.next().Ack()
	}
}

// leasedAtMost: what is leased beyond the bound stays so, as nothing is settled
// meanwhile, while the queue may learn late of what was settled before.
func (c *consumer) leasedAtMost(n int) {
	c.Helper()
	if c.Leased == nil {
		return
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		leased := c.Leased(c.topic)
		if leased <= n {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			c.Fatalf("%d messages are leased, want %d at most", leased, n)
		}
	}
}

// testSlotBeforeReceive: a subscriber that has its hands full leaves the other
// messages to others, also after it was fast for a while and expects to be.
func testSlotBeforeReceive(q *queueTest) {
	if !q.Persistent || q.Exclusive {
		q.Skip("subscribers do not compete")
	}
	const concurrency, fast, slow = 2, 200, 40
	busy := q.open(concurrency).subscribe()
	busy.publish(fast + slow)
	for range fast {
		busy.next().Ack()
	}
	held := busy.hold(concurrency)
	busy.quiet()
	idle := q.openTopic(busy.topic, concurrency).subscribe()
	for range slow - concurrency - q.Prefetch {
		idle.next().Ack()
	}
	for _, m := range held {
		m.Ack()
	}
	for range q.Prefetch { // whoever has them
		select {
		case m := <-idle.messages:
			m.Ack()
		case m := <-busy.messages:
			m.Ack()
		}
	}
}

// testLoad: under load, with every fifth message nacked once, each is acked once
// and nothing is left.
func testLoad(q *queueTest) {
	const concurrency, n = 8, 300
	c := q.open(concurrency).subscribe()
	ids := c.publish(n)
	acked := newTally()
	var workers sync.WaitGroup
	for range concurrency {
		workers.Go(func() {
			for m := range c.messages {
				if q.Redelivers && pipeline.Attempt(m) == 1 && slices.Index(ids, m.UUID)%5 == 0 {
					m.Nack()
					continue
				}
				if acked.add(m.UUID) == n {
					close(acked.full)
				}
				m.Ack()
			}
		})
	}
	q.wait(acked.full, "the last message")
	if err := c.closeSubscriber(); err != nil {
		q.Errorf("Close: %v", err)
	}
	workers.Wait()
	acked.want(q, ids)
	c.left(nil)
}

// testDrain: after Close has begun no message is handed out, acks count, and
// Close returns when everything in flight is settled.
func testDrain(q *queueTest) {
	const concurrency = 3
	c := q.open(concurrency).subscribe()
	ids := c.publish(4 * concurrency)
	held := c.hold(concurrency)
	result := c.startClosing()
	for _, m := range held {
		c.quiet()
		c.none("while the subscriber closes")
		select {
		case err := <-result:
			q.Fatalf("Close returned %v with messages in flight", err)
		default:
		}
		if err := m.Context().Err(); err != nil {
			q.Errorf("Close ended the context of a message in flight: %v", err)
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == m.UUID })
		m.Ack()
	}
	q.ended(c.messages)
	if err := c.closed(result); err != nil {
		q.Errorf("Close: %v", err)
	}
	c.left(ids)
}

// testDrainUnseen: messages that the consumer has not taken when Close begins go
// back to the queue; they count neither as delivered nor as in flight.
func testDrainUnseen(q *queueTest) {
	c := q.open(3).subscribe()
	ids := c.publish(3)
	m := c.next()
	c.quiet() // the others wait for somebody to take them
	result := c.startClosing()
	c.quiet()
	c.none("while the subscriber closes")
	m.Ack()
	q.ended(c.messages)
	if err := c.closed(result); err != nil {
		q.Errorf("Close: %v", err)
	}
	c.left(slices.DeleteFunc(ids, func(id string) bool { return id == m.UUID }))
}

// testDrainGivesBack: what is nacked while the subscriber closes goes back to
// the queue, and not to the subscriber.
func testDrainGivesBack(q *queueTest) {
	if !q.Redelivers {
		q.Skip("the backend does not redeliver")
	}
	c := q.open(2).subscribe()
	ids := c.publish(2)
	held := c.hold(2)
	result := c.startClosing()
	held[0].Nack()
	c.quiet()
	c.none("while the subscriber closes")
	held[1].Ack()
	q.ended(c.messages)
	if err := c.closed(result); err != nil {
		q.Errorf("Close: %v", err)
	}
	c.left(slices.DeleteFunc(ids, func(id string) bool { return id == held[1].UUID }))
}

// testCloseInTheMiddle: what one subscriber acked and what the next one gets are
// together what was published, each once.
func testCloseInTheMiddle(q *queueTest) {
	const concurrency, n = 4, 200
	c := q.open(concurrency).subscribe()
	ids := c.publish(n)
	acked := newTally()
	var workers sync.WaitGroup
	for range concurrency {
		workers.Go(func() {
			for m := range c.messages {
				if acked.add(m.UUID) == n/2 {
					close(acked.full)
				}
				m.Ack()
			}
		})
	}
	q.wait(acked.full, "the last message")
	if err := c.closeSubscriber(); err != nil {
		q.Errorf("Close: %v", err)
	}
	workers.Wait()
	done := acked.ids()
	if len(done) != len(slices.Compact(done)) {
		q.Error("a message was acked twice")
	}
	c.left(slices.DeleteFunc(ids, func(id string) bool {
		_, found := slices.BinarySearch(done, id)
		return found
	}))
}

// testClosed: what is closed says so, and can be closed again.
func testClosed(q *queueTest) {
	c := q.open(1).subscribe()
	c.close()
	c.close()
	q.ended(c.messages)
	if _, err := c.sub.Subscribe(q.Context(), c.topic); err == nil {
		q.Error("Subscribe on a closed subscriber succeeded")
	}
	if err := c.pub.Publish(c.topic, message.NewMessage("late", nil)); err == nil {
		q.Error("Publish on a closed publisher succeeded")
	}
}

// testReopen: after a subscription died messages come through a new one; those
// that the old one had delivered are in flight and their acks count.
func testReopen(q *queueTest) {
	if q.Kill == nil {
		q.Skip("the backend cannot break a subscription")
	}
	c := q.open(2).subscribe()
	for range 3 {
		c.publish(1)
		old := c.next()
		q.Kill(c.topic)
		fresh := c.publish(1)
		m := c.next()
		if m.UUID != fresh[0] {
			q.Errorf("got %s after the subscription died, want %s", m.UUID, fresh[0])
		}
		if err := old.Context().Err(); err != nil {
			q.Errorf("the context of a message in flight ended with its subscription: %v", err)
		}
		m.Ack()
		old.Ack()
	}
	if err := c.closeSubscriber(); err != nil {
		q.Errorf("Close: %v", err)
	}
	c.left(nil)
}
