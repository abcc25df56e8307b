package queuetest

import (
	"context"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// TestInOrder runs the tests of Watermill's suite for ordered queues. open returns a
// subscriber with one message in flight. short reduces the number of messages.
func TestInOrder(t *testing.T, open tests.PubSubConstructor, short bool) {
	features := tests.Features{
		Persistent: true, RequireSingleInstance: true, ForceShort: short,
		GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true,
	}
	for name, test := range map[string]func(*testing.T, tests.TestContext, tests.PubSubConstructor){
		"NoAck":                   tests.TestNoAck,
		"PublishSubscribeInOrder": tests.TestPublishSubscribeInOrder,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, open)
		})
	}
}

// OpenNamed is Open for Watermill's suite, whose topics are names: url returns their
// URLs.
func OpenNamed(t testing.TB, d queue.Driver, c queue.Config, url func(topic string) string) (message.Publisher, message.Subscriber) {
	t.Helper()
	pub, sub := Open(t, d, c)
	return namedPublisher{pub, url}, namedSubscriber{sub, url}
}

type namedPublisher struct {
	*queue.Publisher
	url func(topic string) string
}

func (p namedPublisher) Publish(topic string, ms ...*message.Message) error {
	return p.Publisher.Publish(p.url(topic), ms...)
}

type namedSubscriber struct {
	*queue.Subscriber
	url func(topic string) string
}

func (s namedSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.Subscriber.Subscribe(ctx, s.url(topic))
}

func (s namedSubscriber) SubscribeInitialize(topic string) error {
	return s.Subscriber.SubscribeInitialize(s.url(topic))
}
