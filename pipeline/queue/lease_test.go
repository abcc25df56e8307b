package queue_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// leasedQueue is a driver and its queue, which has one message under a lease of a minute.
type leasedQueue struct {
	*fakeBroker
	handle   *fakeHandle
	received bool
}

func (q *leasedQueue) OpenQueue(context.Context, string, int) (queue.Queue, error) { return q, nil }

func (q *leasedQueue) Receive(ctx context.Context, _ int) ([]queue.Delivery, error) {
	if q.received {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	q.received = true
	return []queue.Delivery{{Message: message.NewMessage("a", nil), Lease: queue.Hold(q.handle, 1, time.Minute)}}, nil
}

func (q *leasedQueue) Close() error { return nil }

// receiveLeased returns the message of a leasedQueue, and the subscriber.
func receiveLeased(t *testing.T, traits queue.Traits, h *fakeHandle, delay time.Duration) (*message.Message, *queue.Subscriber) {
	t.Helper()
	q := &leasedQueue{fakeBroker: newFakeBroker(), handle: h}
	q.traits = traits
	c := config(1)
	c.NackDelay = func(int) time.Duration { return delay }
	c.CloseTimeout = 24 * time.Hour
	_, sub := newPubSub(t, q, c)
	messages, err := sub.Subscribe(t.Context(), newTopic())
	if err != nil {
		t.Fatal(err)
	}
	return <-messages, sub
}

// TestLostLeaseEndsWork: another worker may have the message then.
func TestLostLeaseEndsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandle(time.Minute, errDown, errDown, errDown, errDown, errDown, errDown, errDown, errDown, errDown, errDown)
		redelivered := h.until
		m, sub := receiveLeased(t, queue.Traits{}, h, 0)
		select {
		case <-m.Context().Done():
		case <-time.After(time.Hour):
			t.Fatal("the context of the message lives an hour after the last extension")
		}
		if time.Now().After(redelivered) || !errors.Is(context.Cause(m.Context()), pipeline.ErrLeaseLost) {
			t.Errorf("it ended %s after the redelivery because of %v", time.Since(redelivered), context.Cause(m.Context()))
		}
		m.Nack()
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestDrainKeepsLease: a message that takes an hour of drain is still the worker's own.
func TestDrainKeepsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandle(time.Minute)
		m, sub := receiveLeased(t, queue.Traits{}, h, 0)
		closed := make(chan error)
		go func() { closed <- sub.Close() }()
		time.Sleep(time.Hour)
		if err := m.Context().Err(); err != nil {
			t.Errorf("the lease ended in the drain: %v", context.Cause(m.Context()))
		}
		m.Ack()
		if err := <-closed; err != nil || h.count("ack") != 1 {
			t.Errorf("got %v and %d acks, want none and 1", err, h.count("ack"))
		}
	})
}

// TestQueueDelaysNack: a queue that can delay gets the nack at once, with the delay.
func TestQueueDelaysNack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandle(time.Minute)
		m, sub := receiveLeased(t, queue.Traits{DelaysNacks: true}, h, 7*time.Second)
		m.Nack()
		synctest.Wait()
		if h.count("nack after 7s") != 1 || h.count("ack") != 0 {
			t.Errorf("got calls %v, want nack after 7s", h.calls)
		}
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
	})
}
