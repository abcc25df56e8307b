package pipelinetest

import (
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// TestDurable runs the suite of what durable brokers guarantee when things go wrong, on a
// backend of its own. restart kills the backend as a crash does, and starts it again with
// the data that it has stored. nil: the backend stores no data.
func TestDurable(t *testing.T, newQueue func(t *testing.T) Queue, restart func()) {
	for _, test := range []struct {
		name string
		run  func(*queueTest)
	}{
		{"Storm", testStorm},
		{"DuplicateSubscriptions", testDuplicateSubscriptions},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(&queueTest{T: t, Queue: newQueue(t)}) })
	}
	if restart == nil {
		return
	}
	t.Run("Restart", func(t *testing.T) { TestRestart(t, newQueue, restart) })
}

// TestRestart is the part of TestDurable that restarts the backend.
func TestRestart(t *testing.T, newQueue func(t *testing.T) Queue, restart func()) {
	testRestart(&queueTest{T: t, Queue: newQueue(t)}, restart)
}

// testStorm: every message fails several times, and finally all are acked.
func testStorm(q *queueTest) {
	const n, failures = 100, 4
	c := q.open(8).subscribe()
	ids := c.publish(n)
	acked := newTally(n)
	c.work(acked, 8, func(m *message.Message) bool { return pipeline.Attempt(m) > failures })
	q.wait(acked.full, "the last message")
	if err := c.closeSubscriber(); err != nil {
		q.Errorf("Close: %v", err)
	}
	acked.want(q, ids)
	c.left(nil)
}

// testDuplicateSubscriptions: one subscriber subscribes twice, and a second subscriber is
// started. No message is delivered twice.
func testDuplicateSubscriptions(q *queueTest) {
	const n = 200
	first := q.open(4).subscribe()
	again := &consumer{queueTest: q, topic: first.topic, pub: first.pub, sub: first.sub}
	again.subscribe()
	second := q.openTopic(first.topic, 4).subscribe()
	ids := first.publish(n)
	all := newTally(n)
	for _, c := range []*consumer{first, again, second} {
		c.work(all, 4, always)
	}
	q.wait(all.full, "the last message")
	for _, c := range []*consumer{first, second} {
		if err := c.closeSubscriber(); err != nil {
			q.Errorf("Close: %v", err)
		}
	}
	all.want(q, ids)
	first.left(nil)
}

// testRestart: each published message is acked at least once, although the backend was
// killed while messages were in flight, waiting, being acked and being published.
func testRestart(q *queueTest, restart func()) {
	const n, before = 150, 40
	c := q.open(4).subscribe()
	ids := c.publish(n)
	first := c.next() // in flight all the time
	var (
		mu   sync.Mutex
		done = make(map[string]bool)
		some = make(chan struct{})
		all  = make(chan struct{})
	)
	want := 2 * n
	ack := func(m *message.Message) {
		mu.Lock()
		defer mu.Unlock()
		if m.Ack(); !done[m.UUID] {
			done[m.UUID] = true
			switch len(done) {
			case before:
				close(some)
			case want:
				close(all)
			}
		}
	}
	for range 3 {
		go func() {
			for m := range c.messages {
				ack(m)
			}
		}()
	}
	published := make(chan struct{})
	go func() {
		defer close(published)
		for i := range n {
			m := message.NewMessage(ids[i]+"-later", []byte("later"))
			for deadline := time.Now().Add(patience); c.pub.Publish(c.topic, m) != nil; {
				if time.Now().After(deadline) {
					q.Error("cannot publish after the restart")
					return
				}
				time.Sleep(pause)
			}
		}
	}()
	q.wait(some, "the first messages")
	restart()
	q.wait(published, "the end of publishing")
	ack(first)
	q.wait(all, "the last message")
}
