package queue_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

func TestConformance(t *testing.T) {
	pipelinetest.TestQueue(t, func(*testing.T) pipelinetest.Queue {
		broker := newFakeBroker()
		return pipelinetest.Queue{
			NewTopic: newTopic,
			Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
				return newPubSub(t, broker, config(concurrency))
			},
			Persistent: true,
			Redelivers: true,
			Ordered:    true,
			Kill:       func(topic string) { broker.queue(topic).kill() },
			Leased: func(topic string) int {
				_, leased := broker.queue(topic).left()
				return leased
			},
		}
	})
}

// closeTimeout is short because the suite closes with unsettled messages.
const closeTimeout = time.Second

func topicOf(c tests.TestContext) string { return "fake://" + string(c.TestID) }

// TestWatermillSuite runs the conformance suite that Watermill has for every
// publisher and subscriber, on a queue that outlives its subscriptions.
func TestWatermillSuite(t *testing.T) {
	broker := newFakeBroker()
	open := func(t *testing.T) (message.Publisher, message.Subscriber) {
		c := config(10)
		c.CloseTimeout = closeTimeout
		return newPubSub(t, broker, c)
	}
	tests.TestPubSub(t, tests.Features{Persistent: true, GenerateTopicFunc: topicOf}, open, nil)
}

// TestWatermillSuiteInOrder runs the tests of the suite for ordered queues: with one
// message in flight the engine keeps the queue's order.
func TestWatermillSuiteInOrder(t *testing.T) {
	broker := newFakeBroker()
	open := func(t *testing.T) (message.Publisher, message.Subscriber) {
		c := config(1)
		c.CloseTimeout = closeTimeout
		return newPubSub(t, broker, c)
	}
	features := tests.Features{
		Persistent: true, RequireSingleInstance: true,
		GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true,
		GenerateTopicFunc: topicOf,
	}
	for name, test := range map[string]func(*testing.T, tests.TestContext, tests.PubSubConstructor){
		"NoAck":                   tests.TestNoAck,
		"PublishSubscribeInOrder": tests.TestPublishSubscribeInOrder,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, open)
		})
	}
}
