package sqs_test

import (
	"context"
	"fmt"
	"log"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// The lease of each message is extended until it is acked.
func Example() {
	url := "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects"
	s, err := queue.NewSubscriber(&sqs.Driver{}, queue.Config{Concurrency: 16})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	messages, err := s.Subscribe(context.Background(), url)
	if err != nil {
		log.Fatal(err)
	}
	for m := range messages {
		fmt.Println(m.UUID, string(m.Payload))
		m.Ack()
	}
}
