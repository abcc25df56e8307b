package queue_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

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

// Messages that wait for their redelivery are not in flight, but their number is
// bounded.
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

// A message of another program gets the driver's id. The attempt counts the deliveries
// with that id.
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
