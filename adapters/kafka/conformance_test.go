package kafka_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bucketsum/bucketsum/adapters/kafka"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/queue/queuetest"
)

// quick is a driver whose members learn of a rebalance soon, by their heartbeats, and of
// new topics, by metadata.
var quick = kafka.Driver{Options: []kgo.Opt{kgo.HeartbeatInterval(50 * time.Millisecond), kgo.MetadataMinAge(50 * time.Millisecond)}}

func harness(s kafkaServer) func(*testing.T) pipelinetest.Queue {
	return func(*testing.T) pipelinetest.Queue {
		return pipelinetest.Queue{
			NewTopic: s.topic,
			Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
				return queuetest.Open(t, quick, queue.Config{Concurrency: concurrency, NackDelay: queuetest.Immediately, ReopenDelay: queuetest.Soon})
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

func inGroups(s kafkaServer, concurrency int) tests.ConsumerGroupPubSubConstructor {
	return func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		c := queue.Config{Concurrency: concurrency, NackDelay: queuetest.Immediately, CloseTimeout: time.Second}
		return queuetest.OpenNamed(t, quick, c, func(topic string) string { return s.URL(topic, "create=true&group="+group) })
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
	queuetest.TestInOrder(t, opener(s, 1), false)
}
