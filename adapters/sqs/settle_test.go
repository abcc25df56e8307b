package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestAckIsRepeatedUntilTheMessageIsDeleted(t *testing.T) {
	for name, fault := range map[string]sqstest.Fault{
		"call":  {Action: "DeleteMessageBatch", Times: 6},
		"entry": {Action: "DeleteMessageBatch", Times: 6, Entries: 10},
		"long":  {Action: "DeleteMessageBatch", For: 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(b *bench, url string) {
				b.send(url, "a")
				w := b.worker(url, queue.Config{})
				b.server.Inject(fault)
				w.next().Ack()
				w.none(20 * time.Minute)
				if got := b.counts(url); got != "0 visible, 0 in flight" {
					b.t.Errorf("left: %s", got)
				}
				if strings.Contains(b.log.String(), "delivered again") {
					b.t.Error("it is said to be delivered again")
				}
				w.close()
			})
		})
	}
}

func TestNackComesBackLaterEachTime(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		w := b.worker(url, queue.Config{NackDelay: func(n int) time.Duration { return time.Duration(n) * 100 * time.Second }})
		var gaps []time.Duration
		start := time.Now()
		for want := 1; want <= 4; want++ {
			m := w.next()
			if got := pipeline.Attempt(m); got != want {
				b.t.Errorf("attempt is %d, want %d", got, want)
			}
			gaps = append(gaps, time.Since(start).Round(10*time.Second))
			start = time.Now()
			m.Nack()
		}
		if diff := cmp.Diff([]time.Duration{0, 100 * time.Second, 200 * time.Second, 300 * time.Second}, gaps); diff != "" {
			b.t.Errorf("waits before deliveries (-want +got):\n%s", diff)
		}
		synctest.Wait() // SQS knows the delay of the last nack before Close begins
		w.close()
	})
}

func TestNackIsRepeated(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		w := b.worker(url, queue.Config{NackDelay: func(int) time.Duration { return 10 * time.Minute }})
		m := w.next()
		b.server.Inject(sqstest.Fault{Action: "ChangeMessageVisibilityBatch", For: 5 * time.Second})
		start := time.Now()
		m.Nack()
		again := w.next()
		if d := time.Since(start); d < 10*time.Minute-time.Second || d > 10*time.Minute+time.Second {
			b.t.Errorf("came back after %s", d)
		}
		again.Ack()
		w.close()
	})
}

func TestManyMessagesAreSettledInBatches(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "objects", nil)
		const n = 200
		for i := range n {
			b.send(url, fmt.Sprint("m", i))
		}
		w := b.worker(url, queue.Config{Concurrency: 100})
		seen := make(map[string]int)
		for range n {
			m := w.next()
			seen[string(m.Payload)]++
			m.Ack()
		}
		w.close()
		if len(seen) != n {
			t.Errorf("%d different messages came, want %d", len(seen), n)
		}
		if got := b.counts(url); got != "0 visible, 0 in flight" {
			t.Errorf("left: %s", got)
		}
		if calls := b.server.Calls("ReceiveMessage"); calls > n/2 {
			t.Errorf("%d receives for %d messages", calls, n)
		}
	})
}

// An ack or nack that SQS does not take ends with its context. So does the lease: SQS
// redelivers the message when its visibility ends.
func TestAckEndsWithItsContext(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a", "b")
		q, err := b.driver().OpenQueue(b.t.Context(), url, 2)
		if err != nil {
			b.t.Fatal(err)
		}
		var got []queue.Delivery
		for len(got) < 2 {
			more, err := q.Receive(b.t.Context(), 2)
			if err != nil {
				b.t.Fatal(err)
			}
			got = append(got, more...)
		}
		b.server.Inject(sqstest.Fault{})
		for what, settle := range map[string]func(context.Context) error{
			"ack":  got[0].Lease.Ack,
			"nack": func(ctx context.Context) error { return got[1].Lease.Nack(ctx, 0) },
		} {
			ctx, cancel := context.WithTimeout(b.t.Context(), 5*time.Second)
			if err := settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
				b.t.Errorf("%s: %v", what, err)
			}
			cancel()
		}
		for _, d := range got {
			<-d.Lease.Context().Done()
		}
		if err := q.Close(); err != nil {
			b.t.Error(err)
		}
	})
}
