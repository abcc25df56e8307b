package servicebus

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// shortestLock and longestLock are the bounds of Service Bus for the duration of
	// a lock (https://learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement).
	shortestLock = 5 * time.Second
	longestLock  = 5 * time.Minute
	// hasty is the lifetime of a link below which its end counts as a failure.
	hasty = time.Second
)

// receiver receives from a queue or a subscription.
type receiver struct {
	*azservicebus.Receiver
	client *azservicebus.Client
	name   string
	lost   atomic.Int64 // how many links were lost
}

// Receive asks for n messages and waits for the first.
func (r *receiver) Receive(ctx context.Context, n int) ([]queue.Delivery, error) {
	for {
		asked := time.Now()
		messages, err := r.receive(ctx, n)
		switch {
		case len(messages) > 0:
			got := make([]queue.Delivery, len(messages))
			for i, m := range messages {
				got[i] = r.delivery(m)
			}
			return got, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		// Service Bus ends links that are idle for ten minutes, and the client makes
		// another.
		r.lost.Add(1)
		switch {
		case err != nil:
			return nil, fmt.Errorf("receive from %s: %w", r.name, err)
		case time.Since(asked) < hasty:
			return nil, fmt.Errorf("receive from %s: Service Bus ends the link", r.name)
		}
	}
}

// receive makes one call. The client panics on a message whose DeadLetterReason or
// DeadLetterErrorDescription is not a string: any sender could end the worker. Such a
// message stays locked, and becomes a dead letter after its last delivery.
func (r *receiver) receive(ctx context.Context, n int) (messages []*azservicebus.ReceivedMessage, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the client cannot read a message: %v", fault)
		}
	}()
	return r.ReceiveMessages(ctx, n, nil)
}

func (r *receiver) delivery(m *azservicebus.ReceivedMessage) queue.Delivery {
	properties := make(map[string]string, len(m.ApplicationProperties))
	for name, value := range m.ApplicationProperties {
		properties[name] = fmt.Sprint(value)
	}
	reasoned(properties)
	id := m.MessageID
	if id == "" && m.SequenceNumber != nil {
		id = strconv.FormatInt(*m.SequenceNumber, 10)
	}
	var sent time.Time
	if m.EnqueuedTime != nil {
		sent = *m.EnqueuedTime
	}
	return queue.Delivery{
		Message: queue.Received(id, m.Body, properties),
		Lease:   queue.Hold(handle{r, m, r.lost.Load()}, max(int(m.DeliveryCount), 1), lockDuration(m)),
		Sent:    sent,
	}
}

// The properties with which Service Bus says why it gave up a message
// (https://learn.microsoft.com/azure/service-bus-messaging/service-bus-dead-letter-queues).
const (
	propertyReason      = "DeadLetterReason"
	propertyDescription = "DeadLetterErrorDescription"
)

// reasoned makes the reason of Service Bus that of the message, unless a worker has given one.
func reasoned(properties map[string]string) {
	why := properties[propertyReason]
	if about := properties[propertyDescription]; about != "" {
		why += ": " + about
	}
	delete(properties, propertyReason)
	delete(properties, propertyDescription)
	if why != "" && properties[pipeline.MetadataReason] == "" {
		properties[pipeline.MetadataReason] = "Service Bus: " + why
	}
}

// lockDuration returns how long a lock lasts that has just begun. Its end is a time of
// Azure's clock, which may differ from ours.
func lockDuration(m *azservicebus.ReceivedMessage) time.Duration {
	if m.LockedUntil == nil {
		return shortestLock
	}
	d := time.Until(*m.LockedUntil)
	if d <= 0 {
		return shortestLock
	}
	return min(d, longestLock)
}

// Close ends the connection. All messages were settled through it before.
func (r *receiver) Close() error {
	end(r.client)
	return nil
}

// handle settles one message.
type handle struct {
	r    *receiver
	m    *azservicebus.ReceivedMessage
	lost int64 // how many links were lost before the one that delivered it
}

func (h handle) Extend(ctx context.Context, _ time.Duration) error {
	return lost(h.r.RenewMessageLock(ctx, h.m, nil))
}

// Ack deletes the message.
func (h handle) Ack(ctx context.Context) error {
	return h.settle(ctx, func(ctx context.Context, m *azservicebus.ReceivedMessage) error {
		return h.r.CompleteMessage(ctx, m, nil)
	})
}

// Nack gives the message back at once: Service Bus has no delay.
func (h handle) Nack(ctx context.Context, _ time.Duration) error {
	return h.settle(ctx, func(ctx context.Context, m *azservicebus.ReceivedMessage) error {
		return h.r.AbandonMessage(ctx, m, nil)
	})
}

// settle makes a call through the link that delivered the message or, if that is
// lost, by the lock alone. After a lost connection the client would try the lost link
// again and again.
func (h handle) settle(ctx context.Context, call func(context.Context, *azservicebus.ReceivedMessage) error) error {
	if h.lost == h.r.lost.Load() {
		within, cancel := context.WithTimeout(ctx, callTimeout/2)
		defer cancel()
		if err := call(within, h.m); err == nil || hasCode(err, azservicebus.CodeLockLost) {
			return lost(err)
		}
	}
	bare := *h.m
	bare.RawAMQPMessage = nil // so that the client uses the lock
	return lost(call(ctx, &bare))
}

// lost marks the error of a lock that has ended.
func lost(err error) error {
	if hasCode(err, azservicebus.CodeLockLost) {
		return fmt.Errorf("%w: %w", pipeline.ErrLeaseLost, err)
	}
	return err
}

// topic sends to a queue or a topic.
type topic struct {
	client *azservicebus.Client
	sender *azservicebus.Sender
}

// Send returns when Service Bus has stored the message. After an error it may have
// stored it too. The message gets no MessageID: a namespace that detects duplicates
// would drop a dead letter that fails again soon after it was redriven.
func (t *topic) Send(ctx context.Context, m *message.Message) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	properties := make(map[string]any)
	for name, value := range queue.Fold(m.UUID, m.Metadata, isProperty) {
		properties[name] = value
	}
	return t.sender.SendMessage(ctx, &azservicebus.Message{Body: m.Payload, ApplicationProperties: properties}, nil)
}

func (t *topic) Close() error {
	end(t.client)
	return nil
}

// isProperty reports whether Service Bus can carry a property: it carries any text.
func isProperty(string, string) bool { return true }
