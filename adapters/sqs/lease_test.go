package sqs_test

import (
	"context"
	"errors"
	"net/http"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// both runs a test on a queue of each scheme, in a bubble.
func both(t *testing.T, test func(b *bench, url string)) {
	for scheme, name := range map[string]string{sqs.SchemeParallel: "objects", sqs.SchemeOrdered: "objects.fifo"} {
		t.Run(scheme, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t)
				test(b, b.create(scheme, name, nil))
				if t.Failed() {
					t.Log(b.log)
				}
			})
		})
	}
}

func TestWorkThatOutlivesTheVisibilityIsDoneOnce(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "large")
		first := b.worker(url, queue.Config{})
		second := b.worker(url, queue.Config{})
		done := 0
		for _, w := range []*worker{first, second} {
			go func() {
				for m := range w.messages {
					time.Sleep(5 * time.Minute)
					done++
					m.Ack()
				}
			}()
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if done != 1 {
			b.t.Errorf("done %d times", done)
		}
		if got := b.counts(url); got != "0 visible, 0 in flight" {
			b.t.Errorf("left: %s", got)
		}
		// Extensions are a third of a minute apart, for five minutes.
		if n := b.server.Calls("ChangeMessageVisibilityBatch"); n < 13 || n > 17 {
			b.t.Errorf("%d heartbeats", n)
		}
		first.close()
		second.close()
	})
}

func TestLostLeaseCancelsTheWork(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		w := b.worker(url, queue.Config{})
		m := w.next()
		if _, err := b.client.PurgeQueue(context.Background(), &sdk.PurgeQueueInput{QueueUrl: queueURL(url)}); err != nil {
			b.t.Fatal(err)
		}
		start := time.Now()
		<-m.Context().Done()
		if cause := context.Cause(m.Context()); !errors.Is(cause, pipeline.ErrLeaseLost) {
			b.t.Errorf("cause is %v", cause)
		}
		if d := time.Since(start); d > 25*time.Second {
			b.t.Errorf("noticed after %s, not with the next heartbeat", d)
		}
		m.Nack()
		w.close()
	})
}

func TestLeaseIsLostWhenItCannotBeExtended(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		w := b.worker(url, queue.Config{})
		m := w.next()
		start := time.Now()
		b.server.Inject(sqstest.Fault{Action: "ChangeMessageVisibilityBatch"})
		<-m.Context().Done()
		if d := time.Since(start); d != time.Minute {
			b.t.Errorf("lost after %s; the message was held for a minute", d)
		}
		cause := context.Cause(m.Context())
		if !errors.Is(cause, pipeline.ErrLeaseLost) || !strings.Contains(cause.Error(), "InternalFailure") {
			b.t.Errorf("cause is %v", cause)
		}
		b.server.Heal()
		m.Nack()
		again := w.next()
		if pipeline.Attempt(again) != 2 {
			b.t.Errorf("attempt is %d", pipeline.Attempt(again))
		}
		again.Ack()
		w.close()
	})
}

// SQS fails for a minute. At its beginning a lease has two thirds of that left.
func TestOutageIsSurvived(t *testing.T) {
	for name, fault := range map[string]sqstest.Fault{
		"throttled": sqstest.Throttling(time.Minute),
		"500":       {For: time.Minute},
		"503":       {Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, For: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(b *bench, url string) {
				url += "?visibility=2m"
				b.send(url, "a", "b")
				w := b.worker(url, queue.Config{Concurrency: 2})
				a, other := w.next(), w.next()
				time.Sleep(time.Second)
				b.server.Inject(fault)
				other.Ack()
				time.Sleep(3 * time.Minute)
				if a.Context().Err() != nil {
					b.t.Errorf("lease ended: %v", context.Cause(a.Context()))
				}
				a.Ack()
				b.send(url, "c")
				c := w.next()
				if string(c.Payload) != "c" || pipeline.Attempt(c) != 1 {
					b.t.Errorf("message %q comes, attempt %d", c.Payload, pipeline.Attempt(c))
				}
				c.Ack()
				synctest.Wait()
				if got := b.counts(url); got != "0 visible, 0 in flight" {
					b.t.Errorf("left: %s", got)
				}
				w.close()
			})
		})
	}
}

// A worker that crashes makes no more calls: no ack, no nack, no extension.
func TestCrashIsTakenOver(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		b.receive(url, 60)
		start := time.Now()
		w := b.worker(url, queue.Config{})
		m := w.next()
		if d := time.Since(start); d > 62*time.Second || pipeline.Attempt(m) != 2 {
			b.t.Errorf("taken over after %s, attempt %d", d, pipeline.Attempt(m))
		}
		m.Ack()
		w.close()
	})
}

func TestNothingWaitsForABusyWorker(t *testing.T) {
	both(t, func(b *bench, url string) {
		for _, body := range strings.Split("abcdefghijklmnopqrst", "") {
			b.send(url, body)
		}
		w := b.worker(url, queue.Config{Concurrency: 3})
		for range 3 {
			w.next()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := b.counts(url); got != "17 visible, 3 in flight" {
			b.t.Errorf("the worker with three slots has: %s", got)
		}
		for range 17 { // what is visible was never received
			if m := b.receive(url, 0); m.Attributes["ApproximateReceiveCount"] != "1" {
				b.t.Errorf("%s was received %s times", *m.Body, m.Attributes["ApproximateReceiveCount"])
			}
		}
		w.close()
	})
}

// TestVisibilityChanges: a lease lasts as long as the call asked for that brought the
// message, whatever the queue's visibility timeout is now.
func TestVisibilityChanges(t *testing.T) {
	both(t, func(b *bench, url string) {
		d := b.driver()
		s, err := queue.NewSubscriber(d, queue.Config{})
		if err != nil {
			b.t.Fatal(err)
		}
		w := &worker{t: b.t, subscriber: s}
		if w.messages, err = s.Subscribe(context.Background(), url); err != nil {
			b.t.Fatal(err)
		}
		time.Sleep(time.Minute) // a call waits for messages
		if _, err := b.client.SetQueueAttributes(context.Background(), &sdk.SetQueueAttributesInput{
			QueueUrl: queueURL(url), Attributes: map[string]string{"VisibilityTimeout": "600"},
		}); err != nil {
			b.t.Fatal(err)
		}
		if err := d.Reachable(context.Background(), url); err != nil { // it reads the attributes
			b.t.Fatal(err)
		}
		for _, body := range []string{"asked before", "later"} {
			b.send(url, body)
			m := w.next()
			before := b.server.Calls("ChangeMessageVisibilityBatch")
			time.Sleep(100 * time.Second)
			if got := b.counts(url); got != "0 visible, 1 in flight" {
				b.t.Errorf("message %q during its work: %s", body, got)
			}
			if n := b.server.Calls("ChangeMessageVisibilityBatch") - before; body == "later" && n != 0 {
				b.t.Errorf("message %q is extended %d times within 100 s of 600", body, n)
			}
			m.Ack()
		}
		w.close()
	})
}

func TestTwelveHoursAreTheEnd(t *testing.T) {
	both(t, func(b *bench, url string) {
		// Go 1.26's race detector crashes now and then in a bubble in which tens of
		// thousands of timers fire: so few heartbeats, and no polls meanwhile.
		url += "?visibility=7m"
		b.send(url, "a")
		w := b.worker(url, queue.Config{Concurrency: 1})
		m := w.next()
		start := time.Now()
		<-m.Context().Done()
		if d := time.Since(start); d > 12*time.Hour || d < 12*time.Hour-5*time.Second {
			b.t.Errorf("lease ended after %s", d)
		}
		if cause := context.Cause(m.Context()); !errors.Is(cause, pipeline.ErrLeaseLost) || !strings.Contains(cause.Error(), "12h0m0s") {
			b.t.Errorf("cause is %v", cause)
		}
		m.Nack()
		w.next().Ack()
		w.close()
	})
}

func TestQueueDeletedAndMadeAgain(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		w := b.worker(url, queue.Config{})
		m := w.next()
		if _, err := b.client.DeleteQueue(context.Background(), &sdk.DeleteQueueInput{QueueUrl: queueURL(url)}); err != nil {
			b.t.Fatal(err)
		}
		<-m.Context().Done()
		if cause := context.Cause(m.Context()); !errors.Is(cause, pipeline.ErrLeaseLost) {
			b.t.Errorf("cause is %v", cause)
		}
		m.Nack()
		time.Sleep(5 * time.Minute)
		name := path.Base(*queueURL(url))
		attributes := map[string]string{}
		if strings.HasSuffix(name, ".fifo") {
			attributes["FifoQueue"] = "true"
		}
		b.createQueue(name, attributes)
		b.send(url, "b")
		got := w.next()
		if string(got.Payload) != "b" {
			b.t.Errorf("message %q comes", got.Payload)
		}
		got.Ack()
		w.close()
	})
}
