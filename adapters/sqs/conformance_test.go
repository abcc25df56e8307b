package sqs_test

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// TestConformance runs our suite for queue adapters on standard queues. Nothing is
// fetched ahead. The suite asks for several messages of a queue at a time, which a
// group of a FIFO queue does not give; FIFO queues have Watermill's suite.
func TestConformance(t *testing.T) {
	pipelinetest.TestQueue(t, func(t *testing.T) pipelinetest.Queue { return conformance(newBench(t)) })
}

func conformance(b *bench) pipelinetest.Queue {
	immediately := func(int) time.Duration { return 0 }
	var topics atomic.Int64
	return pipelinetest.Queue{
		NewTopic: func() string {
			return b.create(sqs.SchemeParallel, fmt.Sprint("topic-", topics.Add(1)), nil) + "?waittime=1s"
		},
		Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
			d := b.driver()
			s, err := queue.NewSubscriber(d, queue.Config{Concurrency: concurrency, NackDelay: immediately, ReopenDelay: immediately})
			if err != nil {
				t.Fatal(err)
			}
			return queue.NewPublisher(d), s
		},
		Persistent: true,
		Redelivers: true,
		Leased: func(topic string) int {
			out, err := b.client.GetQueueAttributes(b.t.Context(), &sdk.GetQueueAttributesInput{
				QueueUrl: queueURL(topic), AttributeNames: []types.QueueAttributeName{"All"},
			})
			if err != nil {
				b.t.Error(err)
				return 0
			}
			n, _ := strconv.Atoi(out.Attributes["ApproximateNumberOfMessagesNotVisible"])
			return n
		},
	}
}
