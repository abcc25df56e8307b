package queue_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestCloseTimeout(t *testing.T) {
	for name, test := range map[string]struct {
		onCancel    func(*message.Message)
		takes       time.Duration
		acks, nacks int
	}{
		"consumer nacks":         {func(m *message.Message) { m.Nack() }, time.Minute, 0, 1},
		"consumer acks":          {func(m *message.Message) { m.Ack() }, time.Minute, 1, 0},
		"consumer says nothing":  {func(*message.Message) {}, time.Minute + time.Second, 0, 1},
		"consumer acks too late": {func(m *message.Message) { time.Sleep(time.Hour); m.Ack() }, time.Minute + time.Second, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startFlow(t, func(c *queue.Config) { c.CloseTimeout = time.Minute })
				f.publish("a")
				m := f.next()
				f.queue.pause()
				start := time.Now()
				var consumer sync.WaitGroup
				consumer.Go(func() {
					<-m.Context().Done()
					if d := time.Since(start); d != time.Minute {
						t.Errorf("the message's context ended after %s", d)
					}
					test.onCancel(m)
				})
				f.close()
				if d := time.Since(start); d != test.takes {
					t.Errorf("Close took %s, want %s", d, test.takes)
				}
				consumer.Wait()
				if _, open := <-f.messages; open {
					t.Error("got a message after Close")
				}
				if acks, nacks := f.queue.settled("a"); acks != test.acks || nacks != test.nacks {
					t.Errorf("%d acks and %d nacks, want %d and %d", acks, nacks, test.acks, test.nacks)
				}
				if ready, leased := f.queue.left(); ready != test.nacks || leased != 0 {
					t.Errorf("%d messages are ready and %d leased, want %d and 0", ready, leased, test.nacks)
				}
			})
		})
	}
}

// A broker that does not answer does not hold the process up.
func TestCloseEndsWhenAcksHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFlow(t, func(c *queue.Config) { c.CloseTimeout = 10 * time.Second })
		f.publish("a")
		m := f.next()
		f.queue.change(func() { f.queue.deaf = true })
		m.Ack()
		start := time.Now()
		f.close()
		if d := time.Since(start); d != 12*time.Second { // a moment more to tell the queue
			t.Errorf("Close took %s, want 12s", d)
		}
	})
}

func TestCloseDoesNotWaitForRedeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFlow(t, func(c *queue.Config) {
			c.NackDelay = func(int) time.Duration { return time.Hour }
		})
		f.publish("a", "b", "c")
		for range 3 {
			f.next().Nack()
		}
		f.queue.pause()
		start := time.Now()
		f.close()
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %s", d)
		}
		if ready, leased := f.queue.left(); ready != 3 || leased != 0 {
			t.Errorf("%d messages are ready and %d leased, want 3 and 0", ready, leased)
		}
	})
}

// pushQueue is a driver and its queue, which has one message and takes a moment to
// pause. It notes the calls.
type pushQueue struct {
	*fakeBroker
	received bool
	calls    []string
}

func (q *pushQueue) OpenQueue(context.Context, string, int) (queue.Queue, error) { return q, nil }

func (q *pushQueue) Receive(ctx context.Context, _ int) ([]queue.Delivery, error) {
	if q.received {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	q.received = true
	return []queue.Delivery{{Message: message.NewMessage("a", nil), Lease: queue.Hold(q, 1, 0)}}, nil
}

func (q *pushQueue) Pause() {
	time.Sleep(100 * time.Millisecond)
	q.calls = append(q.calls, "pause")
}

func (q *pushQueue) Waits() { q.calls = append(q.calls, "waits") }

func (q *pushQueue) Extend(context.Context, time.Duration) error { return nil }
func (q *pushQueue) Ack(context.Context) error                   { return nil }

func (q *pushQueue) Nack(context.Context, time.Duration) error {
	q.calls = append(q.calls, "nack")
	return nil
}

func (q *pushQueue) Close() error { return nil }

// TestCloseGivesBackAfterPause: a queue that delivers without a Receive would deliver
// the message to the closing subscriber again, which counts as a delivery.
func TestCloseGivesBackAfterPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &pushQueue{fakeBroker: newFakeBroker()}
		c := config(1)
		c.NackDelay = func(int) time.Duration { return time.Hour }
		_, sub := newPubSub(t, q, c)
		messages, err := sub.Subscribe(t.Context(), newTopic())
		if err != nil {
			t.Fatal(err)
		}
		(<-messages).Nack()
		synctest.Wait()
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
		if want := []string{"waits", "pause", "nack"}; !slices.Equal(q.calls, want) {
			t.Errorf("the calls are %v, want %v", q.calls, want)
		}
	})
}
