package cloudpubsub_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// gocloudLeak is a goroutine of gocloud's Subscription (v0.47.0): one that has
// fetched a message which nobody receives any more waits for ever to say so.
// There is one at most for each subscription that was closed.
var gocloudLeak = goleak.IgnoreTopFunction("gocloud.dev/pubsub.(*Subscription).Receive.func2")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, gocloudLeak) }

var topics atomic.Int64

// newTopic returns a URL that no test used before: mem topics live as long as
// the process.
func newTopic(scheme string) string { return fmt.Sprintf("%s://topic-%d", scheme, topics.Add(1)) }

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

func TestConformance(t *testing.T) {
	pipelinetest.TestQueue(t, func(*testing.T) pipelinetest.Queue {
		broker := newFakeBroker()
		return pipelinetest.Queue{
			NewTopic: func() string { return newTopic("fake") },
			Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
				return newPubSub(t, broker.config(concurrency))
			},
			Persistent: true,
			Redelivers: true,
			Ordered:    true,
			Kill:       func(topic string) { broker.queue(topic).kill() },
			Leased: func(topic string) int {
				_, leased := broker.queue(topic).left()
				return leased
			},
			Prefetch: 1,
			Leaks:    []goleak.Option{gocloudLeak},
		}
	})
}

// TestConformanceOnMempubsub uses the drivers as the program does. mempubsub
// delivers in no order, and copies for each subscription.
func TestConformanceOnMempubsub(t *testing.T) {
	pipelinetest.TestQueue(t, func(*testing.T) pipelinetest.Queue {
		return pipelinetest.Queue{
			NewTopic: func() string { return newTopic("mem") },
			Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
				return newPubSub(t, cloudpubsub.Config{Concurrency: concurrency, NackDelay: immediately})
			},
			Redelivers: true,
			Prefetch:   1,
			Leaks:      []goleak.Option{gocloudLeak},
		}
	})
}
