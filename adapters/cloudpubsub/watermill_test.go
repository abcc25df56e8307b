package cloudpubsub_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
)

// closeTimeout is short as the suite closes with messages unsettled.
const closeTimeout = time.Second

func topicOf(scheme string) func(tests.TestContext) string {
	return func(c tests.TestContext) string { return scheme + "://" + string(c.TestID) }
}

// TestWatermillSuite runs the conformance suite that Watermill has for every
// publisher and subscriber, on a queue that outlives its subscriptions.
func TestWatermillSuite(t *testing.T) {
	broker := newFakeBroker()
	open := func(t *testing.T) (message.Publisher, message.Subscriber) {
		c := broker.config(10)
		c.CloseTimeout = closeTimeout
		return newPubSub(t, c)
	}
	tests.TestPubSub(t, tests.Features{Persistent: true, GenerateTopicFunc: topicOf("fake")}, open, nil)
}

// TestWatermillSuiteInOrder runs what the suite asks of ordered queues: with one
// message in flight the queue's order is kept.
func TestWatermillSuiteInOrder(t *testing.T) {
	broker := newFakeBroker()
	open := func(t *testing.T) (message.Publisher, message.Subscriber) {
		c := broker.config(1)
		c.CloseTimeout = closeTimeout
		return newPubSub(t, c)
	}
	features := tests.Features{
		Persistent: true, RequireSingleInstance: true,
		GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true,
		GenerateTopicFunc: topicOf("fake"),
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

// TestWatermillSuiteOnMempubsub runs it on gocloud's in-memory queue, which
// copies every message for every subscription. So the tests do not apply that
// ask that another subscriber gets what the first left behind:
// ContinueAfterSubscribeClose, ConcurrentClose and ContinueAfterErrors.
func TestWatermillSuiteOnMempubsub(t *testing.T) {
	open := func(t *testing.T) (message.Publisher, message.Subscriber) {
		return newPubSub(t, cloudpubsub.Config{
			Concurrency:  10,
			NackDelay:    immediately,
			CloseTimeout: closeTimeout,
		})
	}
	features := tests.Features{RequireSingleInstance: true, ExactlyOnceDelivery: true, GenerateTopicFunc: topicOf("mem")}
	for name, test := range map[string]func(*testing.T, tests.TestContext, tests.PubSubConstructor){
		"PublishSubscribe":                  tests.TestPublishSubscribe,
		"ConcurrentSubscribe":               tests.TestConcurrentSubscribe,
		"ConcurrentSubscribeMultipleTopics": tests.TestConcurrentSubscribeMultipleTopics,
		"ResendOnError":                     tests.TestResendOnError,
		"PublisherClose":                    tests.TestPublisherClose,
		"Topic":                             tests.TestTopic,
		"MessageCtx":                        tests.TestMessageCtx,
		"SubscribeCtx":                      tests.TestSubscribeCtx,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, open)
		})
	}
}
