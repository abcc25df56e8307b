package servicebus_test

import (
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
	"github.com/bucketsum/bucketsum/pipeline/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer starts a server that the driver connects to.
func newServer(t *testing.T, lock time.Duration) *servicebustest.Server {
	t.Helper()
	s := servicebustest.Start(t, lock)
	t.Setenv("SERVICEBUS_CONNECTION_STRING", s.ConnectionString())
	return s
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
				return queuetest.Open(t, servicebus.Driver{}, queue.Config{Concurrency: concurrency, NackDelay: queuetest.Immediately, ReopenDelay: queuetest.Immediately})
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

// TestWatermillSuite runs the conformance suite that Watermill has for every publisher
// and subscriber. It gives back some messages more than ten times.
func TestWatermillSuite(t *testing.T) {
	s := newServer(t, 5*time.Second)
	s.MaxDeliveries = 2000 // the most that Azure allows
	open := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		c := queue.Config{Concurrency: 100, NackDelay: queuetest.Immediately, CloseTimeout: time.Second}
		return queuetest.OpenNamed(t, servicebus.Driver{}, c, func(topic string) string {
			s.Topic(topic, group)
			return "azuresb://" + topic + "?subscription=" + group
		})
	}
	features := tests.Features{Persistent: true, ConsumerGroups: true, ForceShort: true}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) { return open(t, "workers") }, open)
}
