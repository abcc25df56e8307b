package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
	gcaws "gocloud.dev/aws"
	"gocloud.dev/pubsub"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
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
		first := b.worker(url, sqs.Config{})
		second := b.worker(url, sqs.Config{})
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
		// A third of a minute apart, for five minutes.
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
		w := b.worker(url, sqs.Config{})
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
		w := b.worker(url, sqs.Config{})
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

// SQS is out of order for a minute; two thirds of that a lease has left when it
// begins.
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
				w := b.worker(url, sqs.Config{Concurrency: 2})
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

func TestAckIsRepeatedUntilTheMessageIsDeleted(t *testing.T) {
	for name, fault := range map[string]sqstest.Fault{
		"call":  {Action: "DeleteMessageBatch", Times: 6},
		"entry": {Action: "DeleteMessageBatch", Times: 6, Entries: 10},
		"long":  {Action: "DeleteMessageBatch", For: 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(b *bench, url string) {
				b.send(url, "a")
				w := b.worker(url, sqs.Config{})
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
		w := b.worker(url, sqs.Config{NackDelay: func(n int) time.Duration { return time.Duration(n) * 100 * time.Second }})
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
		w.close()
	})
}

func TestNackIsRepeated(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		w := b.worker(url, sqs.Config{NackDelay: func(int) time.Duration { return 10 * time.Minute }})
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

func TestCloseGivesBackAtOnce(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		w := b.worker(url, sqs.Config{CloseTimeout: 30 * time.Second})
		m := w.next()
		go func() {
			<-m.Context().Done()
			m.Nack()
		}()
		start := time.Now()
		w.close()
		if d := time.Since(start); d > 32*time.Second {
			b.t.Errorf("close took %s", d)
		}
		if got := b.counts(url); got != "1 visible, 0 in flight" {
			b.t.Errorf("after close: %s", got)
		}
	})
}

func TestFinishedWorkIsDeletedWhileClosing(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a", "b")
		w := b.worker(url, sqs.Config{Concurrency: 1})
		m := w.next()
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			w.close()
		}()
		time.Sleep(50 * time.Second) // a heartbeat or two
		if err := m.Context().Err(); err != nil {
			b.t.Errorf("the work was cancelled: %v", err)
		}
		m.Ack()
		<-closed
		if got := b.counts(url); got != "1 visible, 0 in flight" {
			b.t.Errorf("after close: %s", got)
		}
	})
}

// A worker that crashes neither acks nor nacks nor says anything more.
func TestCrashIsTakenOver(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		b.receive(url, 60)
		start := time.Now()
		w := b.worker(url, sqs.Config{})
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
		w := b.worker(url, sqs.Config{Concurrency: 3})
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

func TestManyMessagesAreSettledInBatches(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "objects", nil)
		const n = 200
		for i := range n {
			b.send(url, fmt.Sprint("m", i))
		}
		w := b.worker(url, sqs.Config{Concurrency: 100})
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

func TestTwelveHoursAreTheEnd(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		w := b.worker(url, sqs.Config{})
		m := w.next()
		start := time.Now()
		<-m.Context().Done()
		if d := time.Since(start); d > 12*time.Hour || d < 12*time.Hour-5*time.Second {
			b.t.Errorf("lease ended after %s", d)
		}
		if cause := context.Cause(m.Context()); !errors.Is(cause, pipeline.ErrLeaseLost) || !strings.Contains(cause.Error(), "12 hours") {
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
		w := b.worker(url, sqs.Config{})
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

func TestMessageThatNobodyTakesGoesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "objects", nil)
		b.send(url, "a")
		queues := b.queues(sqs.Config{})
		sub, err := queues.OpenSubscription(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		m, err := sub.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.Shutdown(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		if got := b.counts(url); got != "1 visible, 0 in flight" {
			t.Errorf("after a while: %s", got)
		}
		if _, err := queues.Lease(t.Context(), url, m); !errors.Is(err, pipeline.ErrLeaseLost) {
			t.Errorf("taken too late: %v", err)
		}
		m.Nack()
		if err := queues.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseOfQueuesGivesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "objects", nil)
		b.send(url, "a")
		queues := b.queues(sqs.Config{})
		sub, err := queues.OpenSubscription(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		m, err := sub.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lease, err := queues.Lease(t.Context(), url, m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := queues.Lease(t.Context(), url, m); !errors.Is(err, pipeline.ErrLeaseLost) {
			t.Errorf("taken twice: %v", err)
		}
		if err := sub.Shutdown(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		m.Nack()
		if err := queues.Close(); err != nil {
			t.Error(err)
		}
		if got := b.counts(url); got != "1 visible, 0 in flight" {
			t.Errorf("after close: %s", got)
		}
		if lease.Context().Err() == nil {
			t.Error("the lease lives")
		}
		if err := lease.Ack(t.Context()); err == nil {
			t.Error("a message that was given back can be acked")
		}
		if _, err := queues.OpenSubscription(t.Context(), url); !errors.Is(err, sqs.ErrClosed) {
			t.Errorf("open after close: %v", err)
		}
		if _, err := queues.Lease(t.Context(), url, m); !errors.Is(err, sqs.ErrClosed) {
			t.Errorf("lease after close: %v", err)
		}
	})
}

func TestWhatArrivesAfterCloseGoesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "objects", nil)
		queues := b.queues(sqs.Config{})
		sub, err := queues.OpenSubscription(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		received := make(chan *pubsub.Message, 1)
		go func() {
			m, err := sub.Receive(t.Context())
			if err != nil {
				t.Error(err)
			}
			received <- m
		}()
		synctest.Wait() // it polls
		if err := queues.Close(); err != nil {
			t.Error(err)
		}
		b.send(url, "a")
		(<-received).Nack()
		if got := b.counts(url); got != "1 visible, 0 in flight" {
			t.Errorf("after close: %s", got)
		}
		sub.Shutdown(t.Context())
	})
}

func TestAckEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "objects", nil)
		b.send(url, "a")
		queues := b.queues(sqs.Config{})
		sub, err := queues.OpenSubscription(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		m, err := sub.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lease, err := queues.Lease(t.Context(), url, m)
		if err != nil {
			t.Fatal(err)
		}
		b.server.Inject(sqstest.Fault{})
		within := func(settle func(context.Context) error) error {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			return settle(ctx)
		}
		if err := within(lease.Ack); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ack: %v", err)
		}
		if err := lease.Context().Err(); err != nil {
			t.Errorf("the lease ended: %v", err)
		}
		nack := func(ctx context.Context) error { return lease.Nack(ctx, 0) }
		if err := within(nack); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nack: %v", err)
		}
		m.Nack()
		sub.Shutdown(t.Context())
		queues.Close()
	})
}

// TestWorkThatOutlivesTheVisibilityOnMoto is the same on a server that we did
// not write, through the SDK's default chain.
func TestWorkThatOutlivesTheVisibilityOnMoto(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	endpoint := awsenv.StartMoto(t).URL
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-north-1", "AWS_ENDPOINT_URL": endpoint,
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(k, v)
	}
	b := newBench(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	defaultChain := func(ctx context.Context, parameters url.Values) (aws.Config, error) {
		c, err := gcaws.V2ConfigFromURLParams(ctx, parameters)
		c.HTTPClient = &http.Client{Transport: transport}
		return c, err
	}
	config := configOf(transport)
	config.BaseEndpoint = &endpoint
	b.client = sdk.NewFromConfig(config)
	for scheme, name := range map[string]string{sqs.SchemeParallel: "objects", sqs.SchemeOrdered: "objects.fifo"} {
		t.Run(scheme, func(t *testing.T) {
			b.t = t
			attributes := map[string]string{"VisibilityTimeout": "2"}
			if strings.HasSuffix(name, ".fifo") {
				attributes["FifoQueue"] = "true"
			}
			b.createQueue(name, attributes)
			// The region in the host wins over AWS_REGION.
			url := scheme + "://sqs.us-east-1.amazonaws.com/123456789012/" + name + "?waittime=1s"
			b.send(url, "a")
			first := b.worker(url, sqs.Config{LoadConfig: defaultChain})
			second := b.worker(url, sqs.Config{LoadConfig: defaultChain})
			done := make(chan int)
			work := func(w *worker) {
				n := 0
				for m := range w.messages {
					<-time.After(10 * time.Second) // that is the work
					n++
					m.Ack()
				}
				done <- n
			}
			go work(first)
			go work(second)
			for b.counts(url) != "0 visible, 0 in flight" {
				<-time.After(200 * time.Millisecond)
			}
			first.close()
			second.close()
			if n := <-done + <-done; n != 1 {
				t.Errorf("done %d times", n)
			}
		})
	}
}
