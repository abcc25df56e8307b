package queue_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
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

func TestNackDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFlow(t, func(c *queue.Config) { c.NackDelay = seconds })
		f.publish("a")
		start := time.Now()
		for n, at := range []time.Duration{0, seconds(1), seconds(3), seconds(6)} {
			m := f.next()
			if got := pipeline.Attempt(m); got != n+1 {
				t.Errorf("attempt %d, want %d", got, n+1)
			}
			if d := time.Since(start); d != at {
				t.Errorf("delivery %d came after %s, want %s", n+1, d, at)
			}
			if n < 3 {
				m.Nack()
				synctest.Wait()
				if m.Context().Err() == nil {
					t.Error("the context of a message that waits for its redelivery has not ended")
				}
				continue
			}
			m.Ack()
		}
		f.close()
	})
}

// What waits for its redelivery is not in flight, but it is bounded.
func TestNackedMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFlow(t, func(c *queue.Config) {
			c.NackDelay = func(int) time.Duration { return time.Hour }
		})
		const outside, n = 16, 20
		for i := range n {
			f.publish(fmt.Sprint(i))
		}
		for range outside + 1 {
			f.next().Nack()
		}
		synctest.Wait()
		select {
		case m := <-f.messages:
			t.Errorf("got %s while %d messages wait for their redelivery", m.UUID, outside+1)
		default:
		}
		time.Sleep(time.Hour)
		for range n {
			f.next().Ack()
		}
		f.close()
		if ready, leased := f.queue.left(); ready+leased != 0 {
			t.Errorf("%d messages are ready and %d leased, want none", ready, leased)
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

// A message that another program published has the driver's id, and is counted
// by it.
func TestForeignMessage(t *testing.T) {
	f := startFlow(t, func(*queue.Config) {})
	if err := f.pub.Publish(f.topic, message.NewMessage("", []byte("x"))); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		m := f.next()
		if m.UUID != "fake-1" || pipeline.Attempt(m) != n {
			t.Errorf("got message %q, attempt %d, want fake-1, attempt %d", m.UUID, pipeline.Attempt(m), n)
		}
		if n == 1 {
			m.Nack()
			continue
		}
		m.Ack()
	}
	f.close()
}

func TestBackoff(t *testing.T) {
	for attempt, want := range map[int]time.Duration{
		-1: seconds(1), 0: seconds(1), 1: seconds(1), 2: seconds(2), 3: seconds(4), 6: seconds(32),
		7: seconds(60), 8: seconds(60), 1 << 40: seconds(60),
	} {
		different := map[time.Duration]bool{}
		for range 1000 {
			d := queue.Backoff(attempt)
			different[d] = true
			if d < want-want/8 || d > want+want/8 {
				t.Fatalf("Backoff(%d) is %s, want %s within an eighth", attempt, d, want)
			}
		}
		if len(different) < 2 {
			t.Errorf("Backoff(%d) does not vary", attempt)
		}
	}
}

func TestValidate(t *testing.T) {
	_, err := queue.NewSubscriber(newFakeBroker(), queue.Config{Concurrency: -1, CloseTimeout: -1})
	if err == nil || !strings.Contains(err.Error(), "concurrency") || !strings.Contains(err.Error(), "close timeout") {
		t.Errorf("got %v, want both faults", err)
	}
	if err := (queue.Config{}).Validate(); err != nil {
		t.Errorf("zero Config: %v", err)
	}
}
