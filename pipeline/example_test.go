package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/pipeline"
)

// A pipeline takes messages from a queue, decodes them and gives each event to a handler.
func ExampleRun() {
	queue := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	body := `{"source": "aws.s3", "detail-type": "Object Created",
		"detail": {"bucket": {"name": "photos"}, "object": {"key": "a.jpg"}}}`
	if err := queue.Publish("events", message.NewMessage(watermill.NewUUID(), []byte(body))); err != nil {
		log.Fatal(err)
	}

	ctx, stop := context.WithCancel(context.Background())
	err := pipeline.Run(ctx, pipeline.Config{
		Subscriber: queue,
		Topic:      "events",
		Decode:     events.Decode,
		Handle: func(_ context.Context, e pipeline.Event) error {
			fmt.Println(e.Kind, e.Object)
			stop() // the pipeline drains, and Run returns
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: created photos/a.jpg
}

// The class of an error decides what happens to the message.
func ExampleClassify() {
	fmt.Println(pipeline.Classify(errors.New("connection reset")))
	fmt.Println(pipeline.Classify(pipeline.Permanent(errors.New("not JSON"))))
	fmt.Println(pipeline.Classify(fmt.Errorf("open a.jpg: %w", pipeline.ErrMissing)))
	// Output:
	// transient
	// permanent
	// superseded
}
