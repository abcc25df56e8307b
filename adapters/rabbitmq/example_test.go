package rabbitmq_test

import (
	"context"
	"fmt"
	"log"

	"github.com/bucketsum/bucketsum/adapters/rabbitmq"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// All workers share the messages of the queue.
func Example() {
	url := "amqp://rabbit.example.com:5672/?queue=objects"
	s, err := queue.NewSubscriber(rabbitmq.Driver{}, queue.Config{Concurrency: 16})
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
