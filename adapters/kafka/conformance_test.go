package kafka_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bucketsum/bucketsum/adapters/kafka"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func immediately(int) time.Duration { return 0 }

// soon is the delay between attempts to reach a server that starts on the same
// processor.
func soon(int) time.Duration { return 20 * time.Millisecond }

func newPubSub(t *testing.T, c queue.Config) (*queue.Publisher, *queue.Subscriber) {
	t.Helper()
	// A member learns of a rebalance by its heartbeat, and of new topics by metadata.
	beat := []kgo.Opt{kgo.HeartbeatInterval(50 * time.Millisecond), kgo.MetadataMinAge(50 * time.Millisecond)}
	s, err := queue.NewSubscriber(kafka.Driver{Log: c.Log, Options: beat}, c)
	if err != nil {
		t.Fatal(err)
	}
	return queue.NewPublisher(kafka.Driver{}), s
}

func harness(s kafkaServer) func(*testing.T) pipelinetest.Queue {
	return func(*testing.T) pipelinetest.Queue {
		return pipelinetest.Queue{
			NewTopic: s.topic,
			Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
				return newPubSub(t, queue.Config{Concurrency: concurrency, NackDelay: immediately, ReopenDelay: soon})
			},
			Persistent: true,
			Exclusive:  true,
			Redelivers: true,
			Ordered:    s.Partitions() == 1,
		}
	}
}

// TestConformance runs our suite for queue adapters.
func TestConformance(t *testing.T) {
	for _, partitions := range []int{1, 4} {
		t.Run(fmt.Sprint(partitions, " partitions"), func(t *testing.T) {
			pipelinetest.TestQueue(t, harness(newServer(t, partitions)))
		})
	}
}

// TestDurable runs our suite for failing servers.
func TestDurable(t *testing.T) {
	s := newServer(t, 4)
	pipelinetest.TestDurable(t, harness(s), s.restart)
}

// named maps the topics of Watermill's suite to URLs of topics.
type named struct {
	s   kafkaServer
	pub message.Publisher
	sub message.Subscriber
}

func (n named) url(topic, group string) string {
	return n.s.URL(topic, "create=true&group="+group)
}

func (n named) Publish(topic string, ms ...*message.Message) error {
	return n.pub.Publish(n.url(topic, ""), ms...)
}

// groupOf maps the topics of Watermill's suite to URLs with a group.
type groupOf struct {
	named
	group string
}

func (n groupOf) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return n.sub.Subscribe(ctx, n.url(topic, n.group))
}

func (n groupOf) SubscribeInitialize(topic string) error {
	return n.sub.(message.SubscribeInitializer).SubscribeInitialize(n.url(topic, n.group))
}

func (n named) Close() error {
	if n.pub != nil {
		return n.pub.Close()
	}
	return n.sub.Close()
}

func inGroups(s kafkaServer, concurrency int) tests.ConsumerGroupPubSubConstructor {
	return func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		pub, sub := newPubSub(t, queue.Config{Concurrency: concurrency, NackDelay: immediately, CloseTimeout: time.Second})
		t.Cleanup(func() { sub.Close(); pub.Close() }) // the suite does not always
		return named{s: s, pub: pub}, groupOf{named{s: s, sub: sub}, group}
	}
}

func opener(s kafkaServer, concurrency int) tests.PubSubConstructor {
	return func(t *testing.T) (message.Publisher, message.Subscriber) {
		return inGroups(s, concurrency)(t, "workers")
	}
}

// TestWatermillSuite runs the conformance suite that Watermill has for every
// publisher and subscriber. It runs in its short form, because its time limits assume an
// idle machine; our own suites test under load.
func TestWatermillSuite(t *testing.T) {
	s := newServer(t, 8)
	tests.TestPubSub(t, tests.Features{Persistent: true, ConsumerGroups: true, ForceShort: true}, opener(s, 100), inGroups(s, 100))
}

// TestWatermillSuiteInOrder runs the tests of the suite for ordered queues: with one
// message in flight messages come in the order of the partition.
func TestWatermillSuiteInOrder(t *testing.T) {
	s := newServer(t, 1)
	features := tests.Features{
		Persistent: true, RequireSingleInstance: true,
		GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true,
	}
	for name, test := range map[string]func(*testing.T, tests.TestContext, tests.PubSubConstructor){
		"NoAck":                   tests.TestNoAck,
		"PublishSubscribeInOrder": tests.TestPublishSubscribeInOrder,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, opener(s, 1))
		})
	}
}
