package sqs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// named makes queues of the suite's topics.
type named struct {
	b      *bench
	fifo   bool
	pub    message.Publisher
	sub    message.Subscriber
	closed func() error
}

func (n named) url(topic string) string {
	if !n.fifo {
		return "awssqs" + strings.TrimPrefix(n.b.createQueue(topic, nil), "https") + "?waittime=1s"
	}
	return "sqs" + strings.TrimPrefix(n.b.createQueue(topic+".fifo", map[string]string{"FifoQueue": "true"}), "https") + "?waittime=1s"
}

func (n named) Publish(topic string, ms ...*message.Message) error {
	return n.pub.Publish(n.url(topic), ms...)
}

func (n named) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return n.sub.Subscribe(ctx, n.url(topic))
}

func (n named) Close() error { return n.closed() }

func (b *bench) open(t *testing.T, c queue.Config) (*queue.Publisher, *queue.Subscriber) {
	d := b.driver()
	s, err := queue.NewSubscriber(d, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) // the suite does not always
	return queue.NewPublisher(d), s
}

// TestWatermillSuite runs the conformance suite that Watermill has for every
// publisher and subscriber. A queue has no consumer groups, keeps no acked messages,
// and delivers at least once.
func TestWatermillSuite(t *testing.T) {
	immediately := func(int) time.Duration { return 0 }
	t.Run("fifo", func(t *testing.T) {
		b := newBench(t)
		open := func(t *testing.T) (message.Publisher, message.Subscriber) {
			p, s := b.open(t, queue.Config{NackDelay: immediately, CloseTimeout: time.Second})
			return named{b: b, fifo: true, pub: p, closed: p.Close}, named{b: b, fifo: true, sub: s, closed: s.Close}
		}
		// Short, because an ordered queue delivers one message at a time, and the
		// server searches a queue from its start.
		tests.TestPubSub(t, tests.Features{GuaranteedOrder: true, Persistent: true, ForceShort: true}, open, nil)
	})
	t.Run("standard", func(t *testing.T) {
		b := newBench(t)
		open := func(t *testing.T) (message.Publisher, message.Subscriber) {
			// The suite leaves messages unsettled and expects others meanwhile.
			p, s := b.open(t, queue.Config{Concurrency: 100, NackDelay: immediately, CloseTimeout: time.Second})
			return named{b: b, pub: p, closed: p.Close}, named{b: b, sub: s, closed: s.Close}
		}
		tests.TestPubSub(t, tests.Features{Persistent: true, ForceShort: true}, open, nil)
	})
}

func TestMessageGroupsAreInOrderAndIndependent(t *testing.T) {
	both(t, func(b *bench, url string) {
		if url[:3] != "sqs" {
			return // keeps no order
		}
		b.send(url, "a1", "a2", "a3", "b1")
		w := b.worker(url, queue.Config{Concurrency: 3, NackDelay: func(int) time.Duration { return 30 * time.Second }})
		got := map[string]*message.Message{}
		for range 2 {
			m := w.next()
			got[string(m.Payload)] = m
		}
		if got["a1"] == nil || got["b1"] == nil {
			b.t.Fatalf("want the first of each group, have %v", got)
		}
		if g := got["a1"].Metadata.Get(sqs.MetadataGroup); g != "a" {
			b.t.Errorf("group is %q", g)
		}
		w.none(5 * time.Minute)
		got["b1"].Ack()
		got["a1"].Nack()
		w.none(29 * time.Second)
		for _, want := range []string{"a1", "a2", "a3"} {
			m := w.next()
			if string(m.Payload) != want {
				b.t.Errorf("%s comes, want %s", m.Payload, want)
			}
			m.Ack()
		}
		w.close()
		if _, err := w.subscriber.Subscribe(context.Background(), url); err == nil {
			b.t.Error("a closed subscriber can subscribe")
		}
	})
}
