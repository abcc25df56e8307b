package cloudpubsub_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
	"github.com/bucketsum/bucketsum/adapters/cloudpubsub/cloudpubsubtest"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, cloudpubsubtest.GocloudLeak) }

var topics atomic.Int64

// newTopic returns a URL that no test used before: topics live as long as the
// process.
func newTopic() string { return fmt.Sprintf("mem://topic-%d", topics.Add(1)) }

func immediately(int) time.Duration { return 0 }

func newPubSub(t *testing.T, c queue.Config) (*queue.Publisher, *queue.Subscriber) {
	t.Helper()
	sub, err := queue.NewSubscriber(cloudpubsub.Driver{}, c)
	if err != nil {
		t.Fatal(err)
	}
	return queue.NewPublisher(cloudpubsub.Driver{}), sub
}

// TestConformance runs our suite for queue adapters. mempubsub delivers in no
// order, and copies messages for each subscription.
func TestConformance(t *testing.T) {
	pipelinetest.TestQueue(t, func(*testing.T) pipelinetest.Queue {
		return pipelinetest.Queue{
			NewTopic: newTopic,
			Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
				return newPubSub(t, queue.Config{Concurrency: concurrency, NackDelay: immediately})
			},
			Redelivers: true,
			Prefetch:   1,
			Leaks:      []goleak.Option{cloudpubsubtest.GocloudLeak},
		}
	})
}
