package pipelinetest

import (
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// testBound: as many messages as permitted are in flight and never more, also while some
// are settled and others come.
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

// leasedAtMost waits until at most n messages are leased. The backend may process earlier
// acks late; but a message that is leased beyond the bound stays leased, as no message is
// settled meanwhile.
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

// testSlotBeforeReceive: a subscriber whose slots are all taken leaves the other messages
// to other subscribers, also after it was fast for a while and may have learned to
// prefetch.
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
	for range q.Prefetch { // either subscriber may have them
		select {
		case m := <-idle.messages:
			m.Ack()
		case m := <-busy.messages:
			m.Ack()
		}
	}
}

// testLoad: under load, and with every fifth message nacked once, each message is acked
// once and none is left.
func testLoad(q *queueTest) {
	const concurrency, n = 8, 300
	c := q.open(concurrency).subscribe()
	ids := c.publish(n)
	acked := newTally(n)
	c.work(acked, concurrency, func(m *message.Message) bool {
		return !q.Redelivers || pipeline.Attempt(m) > 1 || slices.Index(ids, m.UUID)%5 != 0
	})
	q.wait(acked.full, "the last message")
	if err := c.closeSubscriber(); err != nil {
		q.Errorf("Close: %v", err)
	}
	acked.want(q, ids)
	c.left(nil)
}

// testDrain: after Close has begun no message is delivered, acks count, and Close returns
// when all messages in flight are settled.
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

// testDrainUnseen: messages that the consumer has not received when Close begins go back
// to the queue. They count neither as delivered nor as in flight.
func testDrainUnseen(q *queueTest) {
	c := q.open(3).subscribe()
	ids := c.publish(3)
	m := c.next()
	c.quiet() // the others wait to be received
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

// testDrainGivesBack: a message that is nacked while the subscriber closes goes back to
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

// testCloseInTheMiddle: the messages that one subscriber acked and those that the next one
// gets are together the published ones, each once.
func testCloseInTheMiddle(q *queueTest) {
	const concurrency, n = 4, 200
	c := q.open(concurrency).subscribe()
	ids := c.publish(n)
	acked := newTally(n / 2)
	c.work(acked, concurrency, always)
	q.wait(acked.full, "the last message")
	if err := c.closeSubscriber(); err != nil {
		q.Errorf("Close: %v", err)
	}
	acked.workers.Wait()
	done := acked.ids()
	if len(done) != len(slices.Compact(done)) {
		q.Error("a message was acked twice")
	}
	c.left(slices.DeleteFunc(ids, func(id string) bool {
		_, found := slices.BinarySearch(done, id)
		return found
	}))
}

// testClosed: a closed publisher or subscriber returns errors, and can be closed again.
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

// testReopen: after a subscription has died, messages come through a new one. The messages
// of the old one stay in flight, and their acks count.
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
