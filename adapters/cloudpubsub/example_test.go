package cloudpubsub_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// A queue in memory gets the messages that are published while it is open.
func Example() {
	ctx, url := context.Background(), "mem://example"
	s, err := queue.NewSubscriber(cloudpubsub.Driver{}, queue.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	messages, err := s.Subscribe(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	p := queue.NewPublisher(cloudpubsub.Driver{})
	defer p.Close()
	if err := p.Publish(url, message.NewMessage(watermill.NewUUID(), []byte("hello"))); err != nil {
		log.Fatal(err)
	}
	m := <-messages
	fmt.Println(string(m.Payload))
	m.Ack()
	// Output: hello
}
