package servicebus_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/servicebus"
	"github.com/bucketsum/bucketsum/adapters/servicebus/servicebustest"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func immediately(int) time.Duration { return 0 }

// newServer starts a server that the driver connects to.
func newServer(t *testing.T, lock time.Duration) *servicebustest.Server {
	t.Helper()
	s := servicebustest.Start(t, lock)
	t.Setenv("SERVICEBUS_CONNECTION_STRING", s.ConnectionString())
	return s
}

func newPubSub(t *testing.T, c queue.Config) (*queue.Publisher, *queue.Subscriber) {
	t.Helper()
	s, err := queue.NewSubscriber(servicebus.Driver{}, c)
	if err != nil {
		t.Fatal(err)
	}
	return queue.NewPublisher(servicebus.Driver{}), s
}

var topics atomic.Int64

// newTopic creates a topic with a subscription and returns the URL of both.
func newTopic(s *servicebustest.Server) string {
	name := fmt.Sprint("topic-", topics.Add(1))
	s.Topic(name, "workers")
	return "azuresb://" + name + "?subscription=workers"
}

func harness(s *servicebustest.Server) func(*testing.T) pipelinetest.Queue {
	return func(*testing.T) pipelinetest.Queue {
		return pipelinetest.Queue{
			NewTopic: func() string { return newTopic(s) },
			Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
				return newPubSub(t, queue.Config{Concurrency: concurrency, NackDelay: immediately, ReopenDelay: immediately})
			},
			Kill:       func(url string) { s.Detach(entity(url)) },
			Leased:     func(url string) int { return s.Locked(entity(url)) },
			Persistent: true,
			Redelivers: true,
		}
	}
}

// entity returns the path of the subscription of a URL from newTopic.
func entity(url string) string {
	var name string
	fmt.Sscanf(url, "azuresb://%s", &name)
	return name[:len(name)-len("?subscription=workers")] + "/Subscriptions/workers"
}

// TestConformance runs our suite for queue adapters.
func TestConformance(t *testing.T) {
	pipelinetest.TestQueue(t, harness(newServer(t, 5*time.Second)))
}

// TestDurable runs our suite for failing servers. The stand-in keeps its messages while it
// is stopped.
func TestDurable(t *testing.T) {
	s := newServer(t, 5*time.Second)
	pipelinetest.TestDurable(t, harness(s), func() { s.Stop(); s.Resume() })
}

// grouped makes subscriptions of the topics of Watermill's suite.
type grouped struct {
	s     *servicebustest.Server
	group string
	pub   message.Publisher
	sub   message.Subscriber
}

func (g grouped) Publish(topic string, ms ...*message.Message) error {
	g.s.Topic(topic)
	return g.pub.Publish("azuresb://"+topic, ms...)
}

func (g grouped) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	g.s.Topic(topic, g.group)
	return g.sub.Subscribe(ctx, "azuresb://"+topic+"?subscription="+g.group)
}

func (g grouped) SubscribeInitialize(topic string) error {
	g.s.Topic(topic, g.group)
	return g.sub.(message.SubscribeInitializer).SubscribeInitialize("azuresb://" + topic + "?subscription=" + g.group)
}

func (g grouped) Close() error {
	if g.pub != nil {
		return g.pub.Close()
	}
	return g.sub.Close()
}

// TestWatermillSuite runs the conformance suite that Watermill has for every publisher
// and subscriber. It gives back some messages more than ten times.
func TestWatermillSuite(t *testing.T) {
	s := newServer(t, 5*time.Second)
	s.MaxDeliveries = 2000 // the most that Azure allows
	open := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		pub, sub := newPubSub(t, queue.Config{Concurrency: 100, NackDelay: immediately, CloseTimeout: time.Second})
		t.Cleanup(func() { sub.Close(); pub.Close() }) // the suite does not always
		return grouped{s: s, group: group, pub: pub}, grouped{s: s, group: group, sub: sub}
	}
	features := tests.Features{Persistent: true, ConsumerGroups: true, ForceShort: true}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) { return open(t, "workers") }, open)
}
