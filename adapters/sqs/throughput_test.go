package sqs_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
)

// BenchmarkThroughput receives and acks the messages of a full queue. It reports
// messages per second and ReceiveMessage calls per message, and asserts that each
// message comes once and that the queue is empty in the end.
func BenchmarkThroughput(b *testing.B) {
	const messages, groups, concurrency = 1000, 100, 10
	for name, scheme := range map[string]string{"standard": sqs.SchemeParallel, "fifo": sqs.SchemeOrdered} {
		b.Run(name, func(b *testing.B) {
			var elapsed time.Duration
			receives := 0
			for range b.N {
				server := sqstest.NewServer()
				client := sdk.NewFromConfig(configOf(server))
				queue, attributes := "objects", map[string]string{"VisibilityTimeout": "60"}
				if scheme == sqs.SchemeOrdered {
					queue, attributes["FifoQueue"] = "objects.fifo", "true"
				}
				out, err := client.CreateQueue(b.Context(), &sdk.CreateQueueInput{QueueName: &queue, Attributes: attributes})
				if err != nil {
					b.Fatal(err)
				}
				for i := range messages {
					in := &sdk.SendMessageInput{QueueUrl: out.QueueUrl, MessageBody: aws.String(fmt.Sprint(i))}
					if scheme == sqs.SchemeOrdered {
						in.MessageGroupId, in.MessageDeduplicationId = aws.String(fmt.Sprint(i%groups)), in.MessageBody
					}
					if _, err := client.SendMessage(b.Context(), in); err != nil {
						b.Fatal(err)
					}
				}
				subscriber, closeAll := openThroughput(b, server, scheme, concurrency)
				start := time.Now()
				in, err := subscriber.Subscribe(context.Background(), scheme+"://sqs.us-east-1.amazonaws.com/123456789012/"+queue+"?waittime=1s")
				if err != nil {
					b.Fatal(err)
				}
				seen := make(map[string]*message.Message, messages)
				for range messages {
					m := <-in
					if seen[string(m.Payload)] != nil {
						b.Fatalf("message %s comes twice", m.Payload)
					}
					seen[string(m.Payload)] = m
					m.Ack()
				}
				for _, m := range seen {
					<-m.Context().Done() // SQS knows
				}
				elapsed += time.Since(start)
				receives += server.Calls("ReceiveMessage")
				closeAll()
				left, err := client.GetQueueAttributes(b.Context(), &sdk.GetQueueAttributesInput{
					QueueUrl: out.QueueUrl, AttributeNames: []types.QueueAttributeName{"All"},
				})
				if err != nil {
					b.Fatal(err)
				}
				for _, count := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"} {
					if got := left.Attributes[count]; got != "0" {
						b.Errorf("%s is %s, want 0", count, got)
					}
				}
			}
			b.ReportMetric(float64(b.N*messages)/elapsed.Seconds(), "messages/s")
			b.ReportMetric(float64(receives)/float64(b.N*messages), "receives/message")
		})
	}
}
