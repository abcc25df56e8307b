package cloudevents_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/pipeline"
)

// The publisher sends a result to a topic as a CloudEvent.
func ExampleNewPublisher() {
	ctx := context.Background()
	topic := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: 1}, watermill.NopLogger{})
	defer topic.Close()
	messages, err := topic.Subscribe(ctx, "results")
	if err != nil {
		log.Fatal(err)
	}
	publish, err := cloudevents.NewPublisher(cloudevents.Config{
		Publisher: topic, Topic: "results", Sources: map[string]string{"photos": "s3://photos"},
	})
	if err != nil {
		log.Fatal(err)
	}
	object := pipeline.Object{Bucket: "photos", Key: "a.jpg", ETag: "b1946ac92492d2347c6235b4d2611184", Size: 6}
	err = publish(ctx, pipeline.Result{
		Outcome: pipeline.Recorded,
		Event:   pipeline.Event{Kind: pipeline.Created, Object: object},
		Record: pipeline.Record{
			Source: object, Digests: map[string]string{"md5": "b1946ac92492d2347c6235b4d2611184"}, ComputedAt: time.Unix(0, 0),
		},
	})
	if err != nil {
		log.Fatal(err)
	}

	msg := <-messages
	msg.Ack()
	var event struct{ Type, Source, Subject string }
	if err := json.Unmarshal(msg.Payload, &event); err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.Type)
	fmt.Println(event.Source, event.Subject)
	// Output:
	// io.bucketsum.checksum.recorded.v1
	// s3://photos a.jpg
}
