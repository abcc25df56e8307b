package rabbitmq_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/rabbitmq"
	"github.com/bucketsum/bucketsum/adapters/rabbitmq/rabbitmqtest"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func immediately(int) time.Duration { return 0 }

// soon is the delay between attempts to reach a server that starts on the same
// processor.
func soon(int) time.Duration { return 20 * time.Millisecond }

func newPubSub(t *testing.T, c queue.Config) (*queue.Publisher, *queue.Subscriber) {
	t.Helper()
	s, err := queue.NewSubscriber(rabbitmq.Driver{Log: c.Log}, c)
	if err != nil {
		t.Fatal(err)
	}
	return queue.NewPublisher(rabbitmq.Driver{}), s
}

var topics atomic.Int64

func newTopic(s *rabbitmqtest.Server) string {
	return s.URL(fmt.Sprint("create=true&queue=topic-", topics.Add(1)))
}

func harness(s *rabbitmqtest.Server) func(*testing.T) pipelinetest.Queue {
	return func(*testing.T) pipelinetest.Queue {
		return pipelinetest.Queue{
			NewTopic: func() string { return newTopic(s) },
			Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
				return newPubSub(t, queue.Config{Concurrency: concurrency, NackDelay: immediately, ReopenDelay: soon})
			},
			Persistent: true,
			Redelivers: true,
			Ordered:    true,
		}
	}
}

// classic is a harness with classic queues, which are not quorum queues.
func classic(s *rabbitmqtest.Server) func(*testing.T) pipelinetest.Queue {
	return func(t *testing.T) pipelinetest.Queue {
		q := harness(s)(t)
		q.NewTopic = func() string {
			name := fmt.Sprint("classic-", topics.Add(1))
			s.Classic(name)
			return s.URL("queue=" + name)
		}
		return q
	}
}

// TestRabbitMQ runs all tests on one server, because a server starts slowly.
func TestRabbitMQ(t *testing.T) {
	s := rabbitmqtest.Start(t)
	t.Run("Conformance", func(t *testing.T) { pipelinetest.TestQueue(t, harness(s)) })
	t.Run("Watermill", func(t *testing.T) {
		// The driver confirms published messages one by one, which is slow.
		tests.TestPubSub(t, tests.Features{Persistent: true, ForceShort: true}, opener(s, 100), nil)
	})
	t.Run("WatermillInOrder", func(t *testing.T) { watermillInOrder(t, s) })
	t.Run("Nacked", func(t *testing.T) { testNackedWaitsAside(t, s) })
	t.Run("Draining", func(t *testing.T) { testDraining(t, s) })
	t.Run("UncountedWarning", func(t *testing.T) { testUncountedWarning(t, s) })
	t.Run("DeadLetters", func(t *testing.T) { testDeadLetters(t, s) })
	t.Run("URLs", func(t *testing.T) { testURLErrors(t, s) })
	t.Run("ReopensOnce", func(t *testing.T) { testReopensOnce(t, s) })
	t.Run("Topics", func(t *testing.T) { testTopics(t, s) })
	t.Run("Durable", func(t *testing.T) { pipelinetest.TestDurable(t, harness(s), s.Restart) })
	t.Run("Crash", func(t *testing.T) { pipelinetest.TestRestart(t, classic(s), s.Crash) })
	t.Run("Lost", func(t *testing.T) { testLostLease(t, s) })
}

// named maps the topics of Watermill's suite to URLs of queues.
type named struct {
	s   *rabbitmqtest.Server
	pub message.Publisher
	sub message.Subscriber
}

func (n named) url(topic string) string { return n.s.URL("create=true&queue=" + topic) }

func (n named) Publish(topic string, ms ...*message.Message) error {
	return n.pub.Publish(n.url(topic), ms...)
}

func (n named) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return n.sub.Subscribe(ctx, n.url(topic))
}

func (n named) SubscribeInitialize(topic string) error {
	return n.sub.(message.SubscribeInitializer).SubscribeInitialize(n.url(topic))
}

func (n named) Close() error {
	if n.pub != nil {
		return n.pub.Close()
	}
	return n.sub.Close()
}

func opener(s *rabbitmqtest.Server, concurrency int) tests.PubSubConstructor {
	return func(t *testing.T) (message.Publisher, message.Subscriber) {
		pub, sub := newPubSub(t, queue.Config{Concurrency: concurrency, NackDelay: immediately, CloseTimeout: time.Second})
		t.Cleanup(func() { sub.Close(); pub.Close() }) // the suite does not always
		return named{s: s, pub: pub}, named{s: s, sub: sub}
	}
}

// watermillInOrder runs the tests of the suite for ordered queues: with one message in
// flight messages come in the order of the queue.
func watermillInOrder(t *testing.T, s *rabbitmqtest.Server) {
	features := tests.Features{
		Persistent: true, RequireSingleInstance: true, ForceShort: true,
		GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true,
	}
	for name, test := range map[string]func(*testing.T, tests.TestContext, tests.PubSubConstructor){
		"NoAck":                   tests.TestNoAck,
		"PublishSubscribeInOrder": tests.TestPublishSubscribeInOrder,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, opener(s, 1))
		})
	}
}
