package queue_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// letter is a message of a mailbox.
type letter struct {
	id, text   string
	deliveries int
}

// mailbox is a driver whose only queue is a channel.
type mailbox chan letter

func (mailbox) Traits() queue.Traits {
	return queue.Traits{Schemes: []queue.Scheme{{Name: "mailbox", Example: "mailbox://letters"}}, CountsDeliveries: true}
}

func (b mailbox) OpenQueue(context.Context, string, int) (queue.Queue, error) { return b, nil }
func (b mailbox) OpenTopic(context.Context, string) (queue.Topic, error)      { return b, nil }

func (b mailbox) Receive(ctx context.Context, _ int) ([]queue.Delivery, error) {
	select {
	case l := <-b:
		l.deliveries++
		m := message.NewMessage(l.id, []byte(l.text))
		// The channel takes no message back by itself: the lease has no period.
		return []queue.Delivery{{Message: m, Lease: queue.Hold(opened{b, l}, l.deliveries, 0)}}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b mailbox) Send(_ context.Context, m *message.Message) error {
	b <- letter{id: m.UUID, text: string(m.Payload)}
	return nil
}

func (mailbox) Close() error { return nil }

// opened settles one delivery.
type opened struct {
	box mailbox
	l   letter
}

func (opened) Extend(context.Context, time.Duration) error { return nil }
func (opened) Ack(context.Context) error                   { return nil }

func (o opened) Nack(context.Context, time.Duration) error {
	o.box <- o.l
	return nil
}

// A technology is a Driver; the engine makes Watermill publishers and subscribers
// of it.
func Example() {
	driver := make(mailbox, 10)
	publisher := queue.NewPublisher(driver)
	subscriber, err := queue.NewSubscriber(driver, queue.Config{
		Concurrency: 1,
		NackDelay:   func(attempt int) time.Duration { return time.Duration(attempt) * time.Millisecond },
	})
	if err != nil {
		log.Fatal(err)
	}
	messages, err := subscriber.Subscribe(context.Background(), "mailbox://letters")
	if err != nil {
		log.Fatal(err)
	}
	if err := publisher.Publish("mailbox://letters", message.NewMessage("1", []byte("hello"))); err != nil {
		log.Fatal(err)
	}
	for attempt := 0; attempt < 2; {
		m := <-messages
		attempt = pipeline.Attempt(m)
		fmt.Printf("delivery %d: %s\n", attempt, m.Payload)
		if attempt < 2 {
			m.Nack() // the work has failed: again, a moment later
		} else {
			m.Ack()
		}
	}
	// Close waits until the queue knows of the ack.
	if err := subscriber.Close(); err != nil {
		log.Fatal(err)
	}
	if err := publisher.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// delivery 1: hello
	// delivery 2: hello
}

func ExampleTraits_SamePlace() {
	rabbit := queue.Traits{PlaceParameters: []string{"queue"}}
	fmt.Println(rabbit.SamePlace("amqp://host/?queue=a", "amqps://host/?queue=a&create=true"))
	fmt.Println(rabbit.SamePlace("amqp://host/?queue=a", "amqp://host/?queue=b"))
	// Output:
	// true
	// false
}
