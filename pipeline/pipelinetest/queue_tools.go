package pipelinetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// patience bounds each wait for something that must happen, so that a test fails instead
// of hanging. It is long, as the machine may be loaded.
const patience = 2 * time.Minute

// pause is the wait between attempts while a backend is down: a server that starts needs
// the processor too.
const pause = 20 * time.Millisecond

// queueTest is one test and its harness.
type queueTest struct {
	*testing.T
	Queue
}

// consumer is a publisher and a subscriber of one topic.
type consumer struct {
	*queueTest
	topic    string
	pub      message.Publisher
	sub      message.Subscriber
	messages <-chan *message.Message // nil until subscribe
	got      []*message.Message      // those that next returned
}

// open opens a new topic. The subscription exists before the first message is published, as
// some queues keep messages only for open subscriptions.
func (q *queueTest) open(concurrency int) *consumer {
	q.Helper()
	return q.openTopic(q.NewTopic(), concurrency)
}

func (q *queueTest) openTopic(topic string, concurrency int) *consumer {
	q.Helper()
	pub, sub := q.Open(q.T, concurrency)
	c := &consumer{queueTest: q, topic: topic, pub: pub, sub: sub}
	q.Cleanup(func() {
		for _, m := range c.got {
			m.Nack() // a failed test leaves some unsettled
		}
		c.close()
	})
	if s, ok := sub.(message.SubscribeInitializer); ok {
		if err := s.SubscribeInitialize(topic); err != nil {
			q.Fatalf("SubscribeInitialize: %v", err)
		}
	}
	return c
}

// subscribe starts the intake. It stops at the end of the test.
func (c *consumer) subscribe() *consumer {
	c.Helper()
	c.messages = c.subscribeUntil(context.Background())
	return c
}

func (c *consumer) subscribeUntil(ctx context.Context) <-chan *message.Message {
	c.Helper()
	messages, err := c.sub.Subscribe(ctx, c.topic)
	if err != nil {
		c.Fatalf("Subscribe: %v", err)
	}
	return messages
}

// publish sends n messages whose payloads are their UUIDs. It returns the UUIDs.
func (c *consumer) publish(n int) []string {
	c.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%04d-%s", i, watermill.NewUUID())
		c.send(message.NewMessage(ids[i], []byte(ids[i])))
	}
	return ids
}

func (c *consumer) send(m *message.Message) {
	c.Helper()
	if err := c.pub.Publish(c.topic, m); err != nil {
		c.Fatalf("Publish: %v", err)
	}
}

// next waits for the next message and returns it.
func (c *consumer) next() *message.Message {
	c.Helper()
	m := c.nextOf(c.messages)
	c.got = append(c.got, m)
	return m
}

func (q *queueTest) nextOf(messages <-chan *message.Message) *message.Message {
	q.Helper()
	select {
	case m, ok := <-messages:
		if !ok {
			q.Fatal("the channel is closed, want a message")
		}
		return m
	case <-time.After(patience):
		q.Fatal("no message came")
	}
	return nil
}

// hold returns the next n messages, unsettled.
func (c *consumer) hold(n int) []*message.Message {
	c.Helper()
	held := make([]*message.Message, n)
	for i := range held {
		held[i] = c.next()
	}
	return held
}

// none fails if a message is waiting.
func (c *consumer) none(why string) {
	c.Helper()
	select {
	case m, ok := <-c.messages:
		if ok {
			c.Fatalf("got message %s %s", m.UUID, why)
		}
		c.Fatalf("the channel is closed %s", why)
	default:
	}
}

// ended waits until the channel is closed. A message before that is a failure.
func (q *queueTest) ended(messages <-chan *message.Message) {
	q.Helper()
	select {
	case m, ok := <-messages:
		if ok {
			q.Fatalf("got message %s after the intake was stopped", m.UUID)
		}
	case <-time.After(patience):
		q.Fatal("the channel was not closed")
	}
}

// quiet gives the adapter time for what it does by itself: it returns after three messages
// have gone through another topic of the backend.
func (q *queueTest) quiet() {
	q.Helper()
	c := q.open(1).subscribe()
	for range 3 {
		c.publish(1)
		m := c.next()
		m.Ack()
		q.wait(m.Context().Done(), "the end of the message's context")
	}
	c.close()
}

func (q *queueTest) wait(done <-chan struct{}, what string) {
	q.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		q.Fatalf("%s did not come", what)
	}
}

func (c *consumer) close() {
	c.Helper()
	if err := c.pub.Close(); err != nil {
		c.Errorf("close the publisher: %v", err)
	}
	if err := c.closeSubscriber(); err != nil {
		c.Errorf("close the subscriber: %v", err)
	}
}

func (c *consumer) closeSubscriber() error {
	c.Helper()
	result := make(chan error, 1)
	go func() { result <- c.sub.Close() }()
	return c.closed(result)
}

func (c *consumer) closed(result <-chan error) error {
	c.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		c.Fatal("Close did not return")
		return nil
	}
}

// startClosing calls Close and returns when it has begun: when Subscribe fails.
func (c *consumer) startClosing() <-chan error {
	c.Helper()
	result := make(chan error, 1)
	go func() { result <- c.sub.Close() }()
	other := c.NewTopic()
	for deadline := time.Now().Add(patience); ; {
		ctx, cancel := context.WithCancel(context.Background())
		messages, err := c.sub.Subscribe(ctx, other)
		cancel()
		if err != nil {
			return result
		}
		c.ended(messages)
		if time.Now().After(deadline) {
			c.Fatal("Close does not begin")
		}
	}
}

// left asserts that the queue still has the messages of ids, in any order, and no other. It
// does nothing if the backend is not persistent.
func (c *consumer) left(ids []string) {
	c.Helper()
	if !c.Persistent {
		return
	}
	other := c.openTopic(c.topic, 1).subscribe()
	// A queue without order may deliver the sentinel before other messages, so that all
	// expected messages are received, whichever comes last.
	sentinel := other.publish(1)[0]
	want := append(slices.Clone(ids), sentinel)
	var got []string
	for range want {
		m := other.next()
		m.Ack()
		got = append(got, m.UUID)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		c.Errorf("the queue had messages\n%v, want\n%v", got, want)
	}
	c.quiet()
	other.none("that should not be in the queue")
}
