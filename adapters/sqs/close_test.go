package sqs_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	neturl "net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestCloseGivesBackAtOnce(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		w := b.worker(url, queue.Config{CloseTimeout: 30 * time.Second})
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
		w := b.worker(url, queue.Config{Concurrency: 1})
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

// afterReceive is a server that calls a function when it has handed out a message,
// before the answer arrives.
type afterReceive struct {
	server *sqstest.Server
	call   func()
}

func (a afterReceive) RoundTrip(r *http.Request) (*http.Response, error) {
	out, err := a.server.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ReceiveMessage") {
		return out, err
	}
	body, err := io.ReadAll(out.Body)
	out.Body = io.NopCloser(bytes.NewReader(body))
	if bytes.Contains(body, []byte("ReceiptHandle")) {
		a.call()
	}
	return out, err
}

func TestMessageThatComesTooLateGoesBack(t *testing.T) {
	for name, late := range map[string]func(cancel context.CancelFunc, closing chan<- bool){
		"subscription ends": func(cancel context.CancelFunc, closing chan<- bool) { cancel(); close(closing) },
		"subscriber closes": func(_ context.CancelFunc, closing chan<- bool) { close(closing); synctest.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(b *bench, url string) {
				closing := make(chan bool)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				b.load = func(context.Context, neturl.Values) (aws.Config, error) {
					return configOf(afterReceive{b.server, func() { late(cancel, closing) }}), nil
				}
				subscriber, err := queue.NewSubscriber(b.driver(), queue.Config{})
				if err != nil {
					b.t.Fatal(err)
				}
				messages, err := subscriber.Subscribe(ctx, url)
				if err != nil {
					b.t.Fatal(err)
				}
				b.send(url, "a")
				<-closing
				if err := subscriber.Close(); err != nil {
					b.t.Error(err)
				}
				if m, open := <-messages; open {
					b.t.Errorf("message %q comes", m.Payload)
				}
				if got := b.counts(url); got != "1 visible, 0 in flight" {
					b.t.Errorf("after close: %s", got)
				}
			})
		})
	}
}

// TestCloseDuringSilence: calls that their callers have given up do not pile up, so that
// Close ends in time after SQS has not answered for long.
func TestCloseDuringSilence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "objects", nil) + "?visibility=1h"
		const n = 200
		for i := range n {
			b.send(url, strconv.Itoa(i))
		}
		w := b.worker(url, queue.Config{Concurrency: n, CloseTimeout: time.Minute})
		b.server.Inject(sqstest.Fault{Action: "DeleteMessageBatch", Silent: true})
		for range n {
			w.next().Ack()
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		start := time.Now()
		w.close()
		if d := time.Since(start); d > 90*time.Second {
			t.Errorf("Close took %s", d)
		}
	})
}
