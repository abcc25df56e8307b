package sqs_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// openThroughput is the part of BenchmarkThroughput that depends on how
// subscribers are made, so that the rest also runs on older revisions.
func openThroughput(b *testing.B, server *sqstest.Server, _ string, concurrency int) (message.Subscriber, func()) {
	driver := &sqs.Driver{LoadConfig: func(context.Context, url.Values) (aws.Config, error) { return configOf(server), nil }}
	s, err := queue.NewSubscriber(driver, queue.Config{Concurrency: concurrency})
	if err != nil {
		b.Fatal(err)
	}
	return s, func() { s.Close() }
}
