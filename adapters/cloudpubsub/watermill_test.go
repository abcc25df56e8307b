package cloudpubsub_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/mempubsub"

	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
)

func newPubSub(t *testing.T, c cloudpubsub.Config) (*cloudpubsub.Publisher, *cloudpubsub.Subscriber) {
	t.Helper()
	pub, err := cloudpubsub.NewPublisher(c)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := cloudpubsub.NewSubscriber(c)
	if err != nil {
		t.Fatal(err)
	}
	return pub, sub
}

func memTopic(c tests.TestContext) string { return "mem://topic-" + string(c.TestID) }

// TestWatermillSuite runs the conformance suite that Watermill has for every
// publisher and subscriber, on a queue that outlives its subscriptions.
func TestWatermillSuite(t *testing.T) {
	broker := newFakeBroker()
	open := func(t *testing.T) (message.Publisher, message.Subscriber) {
		return newPubSub(t, cloudpubsub.Config{
			Concurrency:      10,
			NackDelay:        immediately,
			CloseTimeout:     time.Second,
			OpenTopic:        broker.openTopic,
			OpenSubscription: broker.openSubscription,
		})
	}
	tests.TestPubSub(t, tests.Features{Persistent: true, GenerateTopicFunc: memTopic}, open, nil)
}

// TestWatermillSuiteOnMempubsub runs it on gocloud's in-memory queue, which ends
// with its topic and copies every message for every subscription. So the two
// tests that ask that another subscriber gets what the first left behind do
// not apply: TestConcurrentClose and TestContinueAfterErrors.
func TestWatermillSuiteOnMempubsub(t *testing.T) {
	open := func(t *testing.T) (message.Publisher, message.Subscriber) {
		var broker memBroker
		return newPubSub(t, cloudpubsub.Config{
			Concurrency:      1000, // the suite leaves hundreds unsettled at a time
			NackDelay:        immediately,
			CloseTimeout:     time.Second,
			OpenTopic:        broker.openTopic,
			OpenSubscription: broker.openSubscription,
		})
	}
	for name, test := range map[string]func(*testing.T, tests.TestContext, tests.PubSubConstructor){
		"PublishSubscribe":                  tests.TestPublishSubscribe,
		"ConcurrentSubscribe":               tests.TestConcurrentSubscribe,
		"ConcurrentSubscribeMultipleTopics": tests.TestConcurrentSubscribeMultipleTopics,
		"ResendOnError":                     tests.TestResendOnError,
		"NoAck":                             tests.TestNoAck,
		"PublisherClose":                    tests.TestPublisherClose,
		"Topic":                             tests.TestTopic,
		"MessageCtx":                        tests.TestMessageCtx,
		"SubscribeCtx":                      tests.TestSubscribeCtx,
		"ContinueAfterSubscribeClose":       tests.TestContinueAfterSubscribeClose,
		"PublishSubscribeInOrder":           tests.TestPublishSubscribeInOrder,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, tests.TestContext{
				TestID:   tests.NewTestID(),
				Features: tests.Features{RequireSingleInstance: true, ExactlyOnceDelivery: true, GenerateTopicFunc: memTopic},
			}, open)
		})
	}
}

// memBroker is an in-memory queue of one test; mempubsub's default is one for
// the whole process.
type memBroker struct{ opener mempubsub.URLOpener }

func (b *memBroker) openTopic(ctx context.Context, raw string) (*pubsub.Topic, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	return b.opener.OpenTopicURL(ctx, u)
}

func (b *memBroker) openSubscription(ctx context.Context, raw string) (*pubsub.Subscription, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	return b.opener.OpenSubscriptionURL(ctx, u)
}
