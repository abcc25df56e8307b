// Package queuetest has what the tests of queue drivers share beside the suites of
// pipelinetest: a worker on one queue, and the names of Watermill's suite as URLs.
package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// patience is how long Next waits. It is long, as servers start on the same processor.
const patience = 2 * time.Minute

// Immediately is no delay.
func Immediately(int) time.Duration { return 0 }

// Soon is the delay between attempts to reach a server that starts on the same
// processor.
func Soon(int) time.Duration { return 20 * time.Millisecond }

// Open returns a publisher and a subscriber of a driver. They end with the test, unless
// it closes them before.
func Open(t testing.TB, d queue.Driver, c queue.Config) (*queue.Publisher, *queue.Subscriber) {
	t.Helper()
	sub, err := queue.NewSubscriber(d, c)
	if err != nil {
		t.Fatal(err)
	}
	pub := queue.NewPublisher(d)
	t.Cleanup(func() { sub.Close(); pub.Close() })
	return pub, sub
}

// Worker receives from one queue and sends to it.
type Worker struct {
	URL      string
	Pub      *queue.Publisher
	Sub      *queue.Subscriber
	Messages <-chan *message.Message

	t testing.TB
}

// NewWorker returns a worker that has subscribed. It ends with the test.
func NewWorker(t testing.TB, d queue.Driver, url string, c queue.Config) *Worker {
	t.Helper()
	w := NewIdle(t, d, url, c)
	w.Subscribe(context.Background())
	return w
}

// NewIdle returns a worker that has not subscribed. It ends with the test.
func NewIdle(t testing.TB, d queue.Driver, url string, c queue.Config) *Worker {
	t.Helper()
	w := &Worker{URL: url, t: t}
	w.Pub, w.Sub = Open(t, d, c)
	return w
}

// Subscribe makes Messages those of a new subscription, which ends with ctx.
func (w *Worker) Subscribe(ctx context.Context) {
	w.t.Helper()
	var err error
	if w.Messages, err = w.Sub.Subscribe(ctx, w.URL); err != nil {
		w.t.Fatal(err)
	}
}

// Send sends messages whose payloads are their UUIDs.
func (w *Worker) Send(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		if err := w.Pub.Publish(w.URL, message.NewMessage(id, []byte(id))); err != nil {
			w.t.Fatal(err)
		}
	}
}

// Next returns the next message.
func (w *Worker) Next() *message.Message {
	w.t.Helper()
	select {
	case m := <-w.Messages:
		return m
	case <-time.After(patience):
		w.t.Fatal("no message comes")
		return nil
	}
}

// Close closes the subscriber.
func (w *Worker) Close() {
	w.t.Helper()
	if err := w.Sub.Close(); err != nil {
		w.t.Error(err)
	}
}
