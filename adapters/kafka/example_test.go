package kafka_test

import (
	"context"
	"fmt"
	"log"

	"github.com/bucketsum/bucketsum/adapters/kafka"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// All workers of the consumer group share the partitions of the topic.
func Example() {
	url := "kafka://kafka.example.com:9092/objects?group=bucketsum"
	s, err := queue.NewSubscriber(kafka.Driver{}, queue.Config{Concurrency: 16})
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
