package jetstream_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	ours "github.com/bucketsum/bucketsum/adapters/jetstream"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/queue/queuetest"
)

// TestConformance runs our suite for queue adapters.
func TestConformance(t *testing.T) {
	b := newBench(t)
	pipelinetest.TestQueue(t, harness(b))
}

// TestDurable runs our suite for failing servers.
func TestDurable(t *testing.T) {
	b := newSafeBench(t)
	pipelinetest.TestDurable(t, harness(b), b.restart)
}

func harness(b *bench) func(*testing.T) pipelinetest.Queue {
	return func(*testing.T) pipelinetest.Queue {
		return pipelinetest.Queue{
			NewTopic: b.topic,
			Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
				return queuetest.Open(t, ours.Driver{}, queue.Config{Concurrency: concurrency, NackDelay: queuetest.Immediately, ReopenDelay: queuetest.Soon})
			},
			Persistent: true,
			Redelivers: true,
			Ordered:    true,
			Kill:       b.kick,
			Leased:     b.pending,
		}
	}
}

func opener(b *bench, concurrency int) tests.PubSubConstructor {
	return func(t *testing.T) (message.Publisher, message.Subscriber) {
		c := queue.Config{Concurrency: concurrency, NackDelay: queuetest.Immediately, CloseTimeout: time.Second}
		return queuetest.OpenNamed(t, ours.Driver{}, c, func(topic string) string { return b.url(topic, "consumer=workers&create=true") })
	}
}

// TestWatermillSuite runs the conformance suite that Watermill has for every
// publisher and subscriber. The queues have no groups of consumers that each get a
// copy, and deliver at least once. The suite runs in its short form, because its time
// limits assume an idle machine; our own suites test under load.
func TestWatermillSuite(t *testing.T) {
	b := newBench(t)
	tests.TestPubSub(t, tests.Features{Persistent: true, ForceShort: true}, opener(b, 100), nil)
}

// TestWatermillSuiteInOrder runs the tests of the suite for ordered queues: with one
// message in flight messages come in the stream's order.
func TestWatermillSuiteInOrder(t *testing.T) {
	b := newBench(t)
	queuetest.TestInOrder(t, opener(b, 1), false)
}
