package cloudpubsub

import (
	"context"
	"time"

	"gocloud.dev/pubsub"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// OpenQueue implements queue.Driver.
func (Driver) OpenQueue(ctx context.Context, url string, _ int) (queue.Queue, error) {
	sub, err := openSubscription(ctx, url)
	if err != nil {
		return nil, err
	}
	return &subscription{sub: sub}, nil
}

// subscription is a gocloud subscription.
type subscription struct {
	sub      *pubsub.Subscription
	attempts attempts
}

// Receive returns one message: gocloud does not tell how many there are.
func (s *subscription) Receive(ctx context.Context, _ int) ([]queue.Delivery, error) {
	m, err := s.sub.Receive(ctx)
	if err != nil {
		return nil, err
	}
	msg := queue.Received(m.LoggableID, m.Body, m.Metadata)
	return []queue.Delivery{{Message: msg, Lease: queue.Hold(&handle{s, m, msg.UUID}, s.attempts.next(msg.UUID), 0)}}, nil
}

// Close ends the subscription. It does not wait for the broker: acks and nacks of
// the in-memory queue are under way already and cannot fail.
func (s *subscription) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.sub.Shutdown(ctx)
}

// handle settles one message. gocloud does so in the background.
type handle struct {
	s  *subscription
	m  *pubsub.Message
	id string
}

func (h *handle) Extend(context.Context, time.Duration) error { return nil }

func (h *handle) Ack(context.Context) error {
	h.s.attempts.acked(h.id)
	h.m.Ack() // the consumer says that the work is done
	return nil
}

func (h *handle) Nack(context.Context, time.Duration) error {
	h.s.attempts.nacked(h.id)
	h.m.Nack() // the work is not done, and the engine has waited
	return nil
}
