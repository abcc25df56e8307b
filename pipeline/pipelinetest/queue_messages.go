package pipelinetest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

// testRoundTrip: a message arrives as it was published.
func testRoundTrip(q *queueTest) {
	for name, m := range map[string]*message.Message{
		"plain":         message.NewMessage("id-1", []byte(`{"detail-type":"Object Created"}`)),
		"empty payload": message.NewMessage("id-2", nil),
		"unicode":       message.NewMessage("id-\u00fc-\U0001F5C2", []byte("na\u00efve \u6587\u4ef6 \U0001F5C2")),
		"lines":         message.NewMessage("id-4", []byte("a\r\n\tb\x00c\"'\\")),
		"large":         message.NewMessage("id-5", []byte(strings.Repeat("0123456789abcdef", 4096))),
	} {
		m.Metadata.Set("plain", name)
		m.Metadata.Set("empty", "")
		m.Metadata.Set("unicode", "na\u00efve \u6587\u4ef6 \U0001F5C2")
		m.Metadata.Set("odd", " a=b&c;d\"e\\ ")
		c := q.open(1).subscribe()
		c.send(m)
		got := c.next()
		got.Ack()
		if got.UUID != m.UUID {
			q.Errorf("%s: UUID is %q, want %q", name, got.UUID, m.UUID)
		}
		if string(got.Payload) != string(m.Payload) {
			q.Errorf("%s: payload is %.80q, want %.80q", name, got.Payload, m.Payload)
		}
		delete(got.Metadata, pipeline.MetadataAttempt)
		if diff := cmp.Diff(m.Metadata, got.Metadata); diff != "" {
			q.Errorf("%s: metadata (-want +got):\n%s", name, diff)
		}
	}
}

// testOrder: a subscriber with one message in flight gets the messages in order.
func testOrder(q *queueTest) {
	if !q.Ordered {
		q.Skip("the backend keeps no order")
	}
	c := q.open(1).subscribe()
	want := c.publish(50)
	var got []string
	for range want {
		m := c.next()
		got = append(got, m.UUID)
		m.Ack()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		q.Errorf("order (-want +got):\n%s", diff)
	}
}

// testAttempts: deliveries count from 1, even if a redriven message carries another count.
// A message with the id of an acked one starts at 1 again.
func testAttempts(q *queueTest) {
	c := q.open(2).subscribe()
	redriven := func() *message.Message {
		m := message.NewMessage("redriven", []byte("x"))
		m.Metadata.Set(pipeline.MetadataAttempt, "7")
		return m
	}
	expect := func(want int) *message.Message {
		q.Helper()
		m := c.next()
		if got := m.Metadata.Get(pipeline.MetadataAttempt); got != fmt.Sprint(want) {
			q.Errorf("attempt is %q, want %d", got, want)
		}
		return m
	}
	c.send(redriven())
	if q.Redelivers {
		for n := 1; n <= 3; n++ {
			expect(n).Nack()
		}
		expect(4).Ack()
	} else {
		expect(1).Ack()
	}
	c.quiet()
	c.send(redriven())
	expect(1).Ack()
}

// testSettlesOnce: only the first Ack or Nack counts.
func testSettlesOnce(q *queueTest) {
	c := q.open(1).subscribe()
	c.publish(1)
	m := c.next()
	m.Ack()
	m.Ack()
	m.Nack()
	c.quiet()
	c.none("after the ack")

	c.publish(1)
	m = c.next()
	m.Nack()
	m.Nack()
	m.Ack()
	if q.Redelivers {
		again := c.next()
		if again.UUID != m.UUID {
			q.Errorf("got %s, want %s again", again.UUID, m.UUID)
		}
		again.Ack()
	}
	c.quiet()
	c.none("after the ack of the redelivered one")
	if err := c.closeSubscriber(); err != nil {
		q.Errorf("Close: %v", err)
	}
	c.left(nil)
}

// testContextOutlivesSubscribe: the end of Subscribe's context stops the intake, but not
// the messages in flight. Their contexts have its values.
func testContextOutlivesSubscribe(q *queueTest) {
	type key struct{}
	c := q.open(2)
	ids := c.publish(4)
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
	defer cancel()
	messages := c.subscribeUntil(ctx)
	held := []*message.Message{q.nextOf(messages), q.nextOf(messages)}
	cancel()
	c.quiet()
	for _, m := range held {
		if err := m.Context().Err(); err != nil {
			q.Errorf("the context of a message in flight ended with that of Subscribe: %v", err)
		}
		if got := m.Context().Value(key{}); got != "value" {
			q.Errorf("the context has the value %v, want value", got)
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == m.UUID })
		m.Ack()
	}
	q.ended(messages)
	// The subscriber is not closed: a new subscription gets the other messages.
	c.subscribe()
	for range ids {
		m := c.next()
		if n := pipeline.Attempt(m); n != 1 {
			q.Errorf("a message that was never received is at attempt %d, want 1", n)
		}
		m.Ack()
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == m.UUID })
	}
	if len(ids) > 0 {
		q.Errorf("messages %v did not come", ids)
	}
}

// testContextEndsWhenSettled: the context of a message ends when the message is acked or
// nacked.
func testContextEndsWhenSettled(q *queueTest) {
	c := q.open(2).subscribe()
	c.publish(2)
	held := c.hold(2)
	held[0].Ack()
	q.wait(held[0].Context().Done(), "the end of the message's context")
	if err := held[1].Context().Err(); err != nil {
		q.Errorf("the context of a message in flight ended with that of another: %v", err)
	}
	held[1].Nack()
	q.wait(held[1].Context().Done(), "the end of the message's context")
	if q.Redelivers {
		again := c.next()
		if err := again.Context().Err(); err != nil {
			q.Errorf("the context of a redelivered message has ended: %v", err)
		}
		again.Ack()
	}
}
