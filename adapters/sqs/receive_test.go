package sqs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestReceiveWithoutAnswerEnds(t *testing.T) {
	both(t, func(b *bench, url string) {
		// One receive at a time, so that no other one takes the message.
		b.server.Inject(sqstest.Fault{Action: "ReceiveMessage", Silent: true, Times: 1})
		w := b.worker(url, queue.Config{Concurrency: 1})
		b.send(url, "a")
		w.next().Ack()
		w.close()
		if log := b.log.String(); !strings.Contains(log, "no answer within 50s") {
			b.t.Errorf("log is:\n%s", log)
		}
	})
}

func TestOpenWithoutAnswerEnds(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.server.Inject(sqstest.Fault{Action: "GetQueueAttributes", Silent: true})
		for name, open := range map[string]func(context.Context, string) error{
			"reachable": b.driver().Reachable, "publisher": queue.NewPublisher(b.driver()).Open,
		} {
			ctx, cancel := context.WithTimeout(b.t.Context(), 24*time.Hour)
			if err := open(ctx, url); err == nil || ctx.Err() != nil {
				b.t.Errorf("%s: error is %v, and it took a day: %v", name, err, ctx.Err())
			}
			cancel()
		}
	})
}

func TestReceivesBackOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeOrdered, "objects.fifo", nil)
		w := b.worker(url, queue.Config{Concurrency: 4})
		outage := func() (receives, warnings int) {
			before, logged := b.server.Calls("ReceiveMessage"), strings.Count(b.log.String(), "level=WARN")
			b.server.Inject(sqstest.Fault{Action: "ReceiveMessage", Code: "AccessDeniedException", Status: 400})
			time.Sleep(time.Hour)
			b.server.Heal()
			b.send(url, "a"+time.Now().String())
			receives = b.server.Calls("ReceiveMessage") - before
			w.next().Ack()
			return receives, strings.Count(b.log.String(), "level=WARN") - logged
		}
		for range 2 { // the second outage counts from one again
			// The engine waits from one second up to a minute between receives.
			if receives, warnings := outage(); receives < 4*8 || receives > 4*25 || warnings != 1 {
				t.Errorf("%d receives and %d warnings in an hour", receives, warnings)
			}
		}
		if log := b.log.String(); strings.Contains(log, "level=ERROR") || strings.Count(log, "from again") != 2 {
			t.Errorf("log is:\n%s", log)
		}

		// A wait between receives does not delay Close.
		b.server.Inject(sqstest.Fault{Action: "ReceiveMessage", Code: "AccessDeniedException", Status: 400})
		time.Sleep(time.Hour)
		start := time.Now()
		w.close()
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("closed after %s", d)
		}
	})
}

// Fault, which /readyz asks, returns the error while nothing can be received.
func TestReceiveFault(t *testing.T) {
	both(t, func(b *bench, url string) {
		w := b.worker(url, queue.Config{ReopenDelay: func(int) time.Duration { return time.Minute }})
		time.Sleep(time.Minute)
		if err := w.subscriber.Fault(); err != nil {
			b.t.Errorf("the fault is %v, want none", err)
		}
		b.server.Inject(sqstest.Fault{Action: "ReceiveMessage", Code: "AccessDeniedException", Status: 400})
		time.Sleep(30 * time.Second)
		if err := w.subscriber.Fault(); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			b.t.Errorf("the fault is %v, want AccessDenied", err)
		}
		before := b.server.Calls("ReceiveMessage")
		time.Sleep(20 * time.Second)
		if n := b.server.Calls("ReceiveMessage") - before; n != 0 {
			b.t.Errorf("%d receives while the engine waits", n)
		}
		b.server.Heal()
		b.send(url, "a")
		w.next().Ack()
		if err := w.subscriber.Fault(); err != nil {
			b.t.Errorf("the fault is %v, want none", err)
		}
		w.close()
	})
}

// After large messages a call asks for fewer, because the SDK holds the bodies of an answer several times.
func TestReceivesFewLargeMessages(t *testing.T) {
	for size, calls := range map[int]int{
		100:     2, // 10 and 2
		500_000: 2, // 10 and 2
		600_000: 3, // 10, 1 and 1
	} {
		bubble(t, func(t *testing.T) {
			const slots = 12
			b := newBench(t)
			url := b.create(sqs.SchemeParallel, "objects", nil)
			for range slots + 1 {
				b.send(url, strings.Repeat("a", size))
			}
			w := b.worker(url, queue.Config{Concurrency: slots})
			var held []*message.Message
			for range slots {
				held = append(held, w.next())
			}
			if n := b.server.Calls("ReceiveMessage"); n != calls {
				t.Errorf("%d receives for %d messages of %d bytes, want %d", n, slots, size, calls)
			}
			for _, m := range held {
				m.Ack()
			}
			w.next().Ack()
			w.close()
		})
	}
}

// TestPollIsNotInterrupted: a long poll ends by itself soon after the deadline of its Receive. SQS may have delivered to it, and a
// message in a connection that is closed stays hidden.
func TestPollIsNotInterrupted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "failed", nil)
		q, err := b.driver().OpenQueue(t.Context(), url, 10)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		for _, body := range []string{"", "late"} {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			if body != "" {
				time.AfterFunc(1800*time.Millisecond, func() { b.send(url, body) })
			}
			got, err := q.Receive(ctx, 10)
			cancel()
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %s, want at most the 2 s of the poll", took)
			}
			if body == "" && (len(got) > 0 || err == nil) || body != "" && (len(got) != 1 || string(got[0].Message.Payload) != body) {
				t.Errorf("a message that comes after the deadline, %q: got %d messages, %v", body, len(got), err)
			}
			for _, d := range got {
				if err := d.Lease.Ack(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
