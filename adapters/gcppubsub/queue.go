package gcppubsub

import (
	"context"
	"fmt"
	"sync"
	"time"

	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// pullFor bounds how long one call waits for messages.
	pullFor = time.Minute
	// lastMoment is how long a call may still run after its caller has gone.
	lastMoment = time.Second
	// tracked bounds the number of messages whose nacks are counted at a time.
	tracked = 1 << 16
)

// subscription receives from a subscription. It pulls with single calls, because a
// streaming pull brings more messages than may be in flight.
type subscription struct {
	client   *pubsub.SubscriptionAdminClient
	name     string
	deadline time.Duration
	limit    int // of deliveries; 0: none

	mu    sync.Mutex
	nacks map[string]int // by message id: the last attempt that was nacked
}

// DeliveryLimit implements queue.Limiter.
func (q *subscription) DeliveryLimit() int { return q.limit }

// Receive pulls until messages come.
func (q *subscription) Receive(ctx context.Context, n int) ([]queue.Delivery, error) {
	for ctx.Err() == nil {
		asked := time.Now()
		response, err := q.pull(ctx, n)
		switch {
		case status.Code(err) == codes.DeadlineExceeded && time.Since(asked) >= pullFor:
			continue // nothing came
		case err != nil:
			return nil, fmt.Errorf("pull: %w", err)
		case len(response.ReceivedMessages) > 0:
			got := make([]queue.Delivery, len(response.ReceivedMessages))
			for i, m := range response.ReceivedMessages {
				got[i] = q.delivery(m)
			}
			return got, nil
		}
	}
	return nil, ctx.Err()
}

// pull makes one call. The call may run for lastMoment after ctx ends: messages that
// the server has already sent would otherwise be redelivered only after their ack
// deadline.
func (q *subscription) pull(ctx context.Context, n int) (*pubsubpb.PullResponse, error) {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), pullFor)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		moment := time.NewTimer(lastMoment)
		defer moment.Stop()
		select {
		case <-moment.C:
			cancel()
		case <-within.Done():
		}
	})()
	return q.client.Pull(within, &pubsubpb.PullRequest{Subscription: q.name, MaxMessages: int32(n)})
}

func (q *subscription) delivery(m *pubsubpb.ReceivedMessage) queue.Delivery {
	attempt := int(m.DeliveryAttempt)
	if attempt == 0 { // the subscription does not count
		q.mu.Lock()
		attempt = q.nacks[m.Message.MessageId] + 1
		q.mu.Unlock()
	}
	var sent time.Time
	if m.Message.PublishTime != nil {
		sent = m.Message.PublishTime.AsTime()
	}
	return queue.Delivery{
		Message: queue.Received(m.Message.MessageId, m.Message.Data, m.Message.Attributes),
		Lease:   queue.Hold(handle{q, m.AckId, m.Message.MessageId, attempt}, attempt, q.deadline),
		Sent:    sent,
	}
}

func (q *subscription) Close() error { return q.client.Close() }

// handle settles one message.
type handle struct {
	q         *subscription
	ackID, id string
	attempt   int
}

func (h handle) Extend(ctx context.Context, period time.Duration) error {
	return h.modify(ctx, period)
}

func (h handle) Ack(ctx context.Context) error {
	err := h.q.client.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: h.q.name, AckIds: []string{h.ackID}})
	if err == nil {
		h.q.mu.Lock()
		defer h.q.mu.Unlock()
		delete(h.q.nacks, h.id)
	}
	return lost(err)
}

// Nack may be called several times for one delivery, and the message may be delivered
// again before a call has succeeded. So it notes the attempt and does not count.
func (h handle) Nack(ctx context.Context, delay time.Duration) error {
	h.q.mu.Lock()
	if _, known := h.q.nacks[h.id]; !known && len(h.q.nacks) >= tracked {
		clear(h.q.nacks) // most of them went to other workers
	}
	h.q.nacks[h.id] = max(h.q.nacks[h.id], h.attempt)
	h.q.mu.Unlock()
	return h.modify(ctx, min(delay, longest))
}

// modify sets the time, in whole seconds, after which the message is redelivered.
func (h handle) modify(ctx context.Context, d time.Duration) error {
	return lost(h.q.client.ModifyAckDeadline(ctx, &pubsubpb.ModifyAckDeadlineRequest{
		Subscription: h.q.name, AckIds: []string{h.ackID}, AckDeadlineSeconds: int32((d + time.Second/2) / time.Second),
	}))
}

// lost marks the errors of a delivery that the server no longer knows. Subscriptions
// with exactly-once delivery report them.
func lost(err error) error {
	if c := status.Code(err); c == codes.InvalidArgument || c == codes.FailedPrecondition || c == codes.NotFound {
		return fmt.Errorf("%w: %w", pipeline.ErrLeaseLost, err)
	}
	return err
}

// topic sends to a topic.
type topic struct {
	client *pubsub.TopicAdminClient
	name   string
}

// Send returns when the topic has stored the message.
func (t *topic) Send(ctx context.Context, m *message.Message) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out := &pubsubpb.PubsubMessage{Data: m.Payload, Attributes: queue.Fold(m.UUID, m.Metadata, isAttribute)}
	_, err := t.client.Publish(ctx, &pubsubpb.PublishRequest{Topic: t.name, Messages: []*pubsubpb.PubsubMessage{out}})
	return err
}

func (t *topic) Close() error { return t.client.Close() }

// isAttribute reports whether Pub/Sub accepts an attribute. Names that begin with goog
// are reserved.
func isAttribute(name, value string) bool {
	return name != "" && len(name) <= 256 && len(value) <= 1024 && (len(name) < 4 || name[:4] != "goog")
}
