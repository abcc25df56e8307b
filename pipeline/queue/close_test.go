package queue_test

import (
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
