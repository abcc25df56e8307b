package rabbitmq_test

import (
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
	"github.com/bucketsum/bucketsum/pipeline/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var topics atomic.Int64

func newTopic(s *rabbitmqtest.Server) string {
	return s.URL(fmt.Sprint("create=true&queue=topic-", topics.Add(1)))
}

func harness(s *rabbitmqtest.Server) func(*testing.T) pipelinetest.Queue {
	return func(*testing.T) pipelinetest.Queue {
		return pipelinetest.Queue{
			NewTopic: func() string { return newTopic(s) },
			Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
				return queuetest.Open(t, rabbitmq.Driver{}, queue.Config{Concurrency: concurrency, NackDelay: queuetest.Immediately, ReopenDelay: queuetest.Soon})
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
			s.Restart() // the test kills the server
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
	t.Run("WatermillInOrder", func(t *testing.T) { queuetest.TestInOrder(t, opener(s, 1), true) })
	t.Run("Nacked", func(t *testing.T) { testNackedWaitsAside(t, s) })
	t.Run("Draining", func(t *testing.T) { testDraining(t, s) })
	t.Run("UncountedWarning", func(t *testing.T) { testUncountedWarning(t, s) })
	t.Run("TransientWarning", func(t *testing.T) { testTransientWarning(t, s) })
	t.Run("LossWarnings", func(t *testing.T) { testLossWarnings(t, s) })
	t.Run("DeadLetters", func(t *testing.T) { testDeadLetters(t, s) })
	t.Run("URLs", func(t *testing.T) { testURLErrors(t, s) })
	t.Run("ReopensOnce", func(t *testing.T) { testReopensOnce(t, s) })
	t.Run("Topics", func(t *testing.T) { testTopics(t, s) })
	t.Run("Durable", func(t *testing.T) { pipelinetest.TestDurable(t, harness(s), s.Restart) })
	t.Run("Crash", func(t *testing.T) { pipelinetest.TestRestart(t, classic(s), s.Crash) })
	t.Run("Lost", func(t *testing.T) { testLostLease(t, s) })
}

func opener(s *rabbitmqtest.Server, concurrency int) tests.PubSubConstructor {
	return func(t *testing.T) (message.Publisher, message.Subscriber) {
		c := queue.Config{Concurrency: concurrency, NackDelay: queuetest.Immediately, CloseTimeout: time.Second}
		return queuetest.OpenNamed(t, rabbitmq.Driver{}, c, func(topic string) string { return s.URL("create=true&queue=" + topic) })
	}
}
