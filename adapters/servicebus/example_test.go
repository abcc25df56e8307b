package servicebus_test

import (
	"context"
	"fmt"
	"log"

	"github.com/bucketsum/bucketsum/adapters/servicebus"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// All workers share the messages of the subscription. SERVICEBUS_CONNECTION_STRING names the namespace.
func Example() {
	url := "azuresb://objects?subscription=bucketsum"
	s, err := queue.NewSubscriber(servicebus.Driver{}, queue.Config{Concurrency: 16})
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
