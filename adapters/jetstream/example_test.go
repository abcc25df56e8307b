package jetstream_test

import (
	"context"
	"fmt"
	"log"

	"github.com/bucketsum/bucketsum/adapters/jetstream"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// All workers that name the consumer share the messages of the stream.
func Example() {
	url := "jetstream://nats.example.com:4222/OBJECTS?consumer=bucketsum"
	s, err := queue.NewSubscriber(jetstream.Driver{}, queue.Config{Concurrency: 16})
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
