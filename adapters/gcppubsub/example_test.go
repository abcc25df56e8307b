package gcppubsub_test

import (
	"context"
	"fmt"
	"log"

	"github.com/bucketsum/bucketsum/adapters/gcppubsub"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// All workers share the messages of the subscription.
func Example() {
	url := "gcppubsub://projects/photos/subscriptions/bucketsum"
	s, err := queue.NewSubscriber(gcppubsub.Driver{}, queue.Config{Concurrency: 16})
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
