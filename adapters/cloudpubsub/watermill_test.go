package cloudpubsub_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// closeTimeout is short because the suite closes with unsettled messages.
const closeTimeout = time.Second

func topicOf(c tests.TestContext) string { return "mem://" + string(c.TestID) }

// TestWatermillSuite runs the conformance suite that Watermill has for every
// publisher and subscriber. mempubsub copies every message for every subscription,
// so three tests do not apply, in which a second subscriber gets the messages that
// the first leaves behind: ContinueAfterSubscribeClose, ConcurrentClose and
// ContinueAfterErrors.
func TestWatermillSuite(t *testing.T) {
	open := func(t *testing.T) (message.Publisher, message.Subscriber) {
		return newPubSub(t, queue.Config{
			Concurrency:  10,
			NackDelay:    immediately,
			CloseTimeout: closeTimeout,
		})
	}
	features := tests.Features{RequireSingleInstance: true, ExactlyOnceDelivery: true, GenerateTopicFunc: topicOf}
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
