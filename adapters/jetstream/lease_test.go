package jetstream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	ours "github.com/bucketsum/bucketsum/adapters/jetstream"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/queue/queuetest"
)

// brief creates a queue whose server redelivers a message after a second without a
// heartbeat.
func (b *bench) brief(maxDeliver int) (url string) {
	b.t.Helper()
	url = b.topic()
	name := streamOf(url)
	if _, err := b.js.CreateStream(b.t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name}}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.js.CreateConsumer(b.t.Context(), name, jetstream.ConsumerConfig{
		Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Second, MaxDeliver: maxDeliver,
	}); err != nil {
		b.t.Fatal(err)
	}
	return url
}

// TestHeartbeatOutlastsAckWait: heartbeats hold a message in work for longer than the
// AckWait. The redeliveries of a message without heartbeats show that the time has
// passed.
func TestHeartbeatOutlastsAckWait(t *testing.T) {
	b := newBench(t)
	held := queuetest.NewWorker(t, ours.Driver{}, b.brief(-1), queue.Config{Concurrency: 2})
	held.Send("long work")
	m := held.Next()

	clock := queuetest.NewWorker(t, ours.Driver{}, b.brief(-1), queue.Config{})
	clock.Send("tick")
	c, err := b.js.Consumer(t.Context(), streamOf(clock.URL), "workers")
	if err != nil {
		t.Fatal(err)
	}
	clock.Sub.Close()
	for range 4 { // it is never acked
		if _, err := c.Next(jetstream.FetchMaxWait(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Context().Err(); err != nil {
		t.Errorf("the lease ended: %v", context.Cause(m.Context()))
	}
	if n := b.info(held.URL).NumRedelivered; n != 0 {
		t.Errorf("%d messages were redelivered", n)
	}
	m.Ack()
	if err := held.Sub.Close(); err != nil {
		t.Error(err)
	}
	if i := b.info(held.URL); i.NumAckPending != 0 || i.AckFloor.Stream != 1 {
		t.Errorf("%d messages are pending and %d acked, want the one acked", i.NumAckPending, i.AckFloor.Stream)
	}
}

// TestLeaseIsLostWithoutServer: a worker that cannot reach the server for the AckWait
// loses its lease, and the message is redelivered.
func TestLeaseIsLostWithoutServer(t *testing.T) {
	b := newBench(t)
	w := queuetest.NewWorker(t, ours.Driver{}, b.brief(-1), queue.Config{Concurrency: 1, ReopenDelay: queuetest.Immediately})
	w.Send("x")
	m := w.Next()
	b.server.Kill()
	<-m.Context().Done()
	if cause := context.Cause(m.Context()); !errors.Is(cause, pipeline.ErrLeaseLost) {
		t.Errorf("the work was cancelled because of %v, want ErrLeaseLost", cause)
	}
	b.server.Resume()
	m.Nack() // its work was interrupted
	again := w.Next()
	if again.UUID != m.UUID { // a server that crashed may have forgotten its count
		t.Errorf("got %s, want %s", again.UUID, m.UUID)
	}
	again.Ack()
}

// TestForgottenDelivery: a server that lost its newest state confirms heartbeats of a
// message that it does not remember to have delivered, but never its ack. The worker gives
// the message up, and gets it again. A new consumer of the same name is such a server.
func TestForgottenDelivery(t *testing.T) {
	b := newBench(t)
	w := queuetest.NewWorker(t, ours.Driver{}, b.topic(), queue.Config{Concurrency: 1, ReopenDelay: queuetest.Immediately})
	w.Send("x")
	m := w.Next()
	if err := b.js.DeleteConsumer(t.Context(), streamOf(w.URL), "workers"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.CreateConsumer(t.Context(), streamOf(w.URL), jetstream.ConsumerConfig{
		Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Minute,
	}); err != nil {
		t.Fatal(err)
	}
	m.Ack() // nothing else frees the only slot
	again := w.Next()
	if again.UUID != m.UUID {
		t.Errorf("got %s, want %s", again.UUID, m.UUID)
	}
	again.Ack()
}

// TestNackDelay: a nacked message waits at the server and does not delay others. The delay is an
// hour, so that no slow machine can let it pass before the others come.
func TestNackDelay(t *testing.T) {
	b := newBench(t)
	w := queuetest.NewWorker(t, ours.Driver{}, b.topic(), queue.Config{Concurrency: 1, NackDelay: func(int) time.Duration { return time.Hour }})
	w.Send("bad", "good-1", "good-2")
	w.Next().Nack()
	for _, want := range []string{"good-1", "good-2"} {
		m := w.Next()
		if m.UUID != want {
			t.Errorf("got %s, want %s", m.UUID, want)
		}
		m.Ack()
	}

	const delay = 500 * time.Millisecond
	w = queuetest.NewWorker(t, ours.Driver{}, b.topic(), queue.Config{Concurrency: 1, NackDelay: func(int) time.Duration { return delay }})
	w.Send("bad")
	m := w.Next()
	nacked := time.Now()
	m.Nack()
	again := w.Next()
	if waited := time.Since(nacked); again.UUID != "bad" || waited < delay/2 { // the server's clock may differ a little
		t.Errorf("got %s after %s, want bad after %s", again.UUID, waited, delay)
	}
	again.Ack()
}

// TestCloseGivesBackAtOnce: a worker that stays gets the messages of one that closes
// without waiting for an AckWait or a backoff.
func TestCloseGivesBackAtOnce(t *testing.T) {
	b := newBench(t)
	url := b.topic() // whose ack wait is a minute
	leaving := queuetest.NewWorker(t, ours.Driver{}, url, queue.Config{Concurrency: 3})
	leaving.Send("a", "b")
	held := []*message.Message{leaving.Next(), leaving.Next()}
	closed := make(chan error)
	go func() { closed <- leaving.Sub.Close() }()
	staying := queuetest.NewWorker(t, ours.Driver{}, url, queue.Config{Concurrency: 3})
	for _, m := range held {
		m.Nack()
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	for range held {
		staying.Next().Ack()
	}
}

// TestURLErrors opens what cannot be opened.
func TestURLErrors(t *testing.T) {
	b := newBench(t)
	b.brief(-1) // topic-1
	push := b.topic()
	if _, err := b.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: streamOf(push), Subjects: []string{"a", "b.*"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.CreatePushConsumer(t.Context(), streamOf(push), jetstream.ConsumerConfig{
		Durable: "pushed", DeliverSubject: "there", AckPolicy: jetstream.AckExplicitPolicy,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.CreateConsumer(t.Context(), streamOf(push), jetstream.ConsumerConfig{
		Durable: "forgetful", AckPolicy: jetstream.AckNonePolicy,
	}); err != nil {
		t.Fatal(err)
	}
	pub, sub := queuetest.Open(t, ours.Driver{}, queue.Config{})
	defer sub.Close()
	for url, want := range map[string]string{
		b.url("absent", "consumer=workers"):              "no stream absent: make it (nats stream add absent), or add create=true",
		b.url("topic-1", "consumer=absent"):              "has no consumer absent: make it (nats consumer add topic-1 absent",
		b.url("topic-1", ""):                             "consumer=NAME is missing",
		b.url("topic-1", "consumer=a.b"):                 `consumer "a.b" is not a name`,
		b.url("topic-1", "consumer=a&durable=b"):         `unknown parameter "durable"; valid are consumer, subject, create, tls`,
		b.url("topic-1", "consumer=a&consumer=b"):        `"consumer" comes 2 times`,
		b.url("topic-1", "consumer=a&create=yes"):        `create is "yes", neither true nor false`,
		b.url("", "consumer=a"):                          "it must have the form jetstream://HOST:4222/STREAM?consumer=NAME",
		b.url(streamOf(push), "consumer=pushed"):         "is a push consumer; a pull consumer is needed",
		b.url(streamOf(push), "consumer=forgetful"):      "ack policy",
		"jetstream://127.0.0.1:1/s?consumer=c":           "nothing answers at 127.0.0.1:1",
		"jetstream://u:geh%zz@127.0.0.1:1/s?consumer=c":  "not a URL",
		"jetstream://u:geheim@127.0.0.1:1/s?consumer=c":  "nothing answers at 127.0.0.1:1",
		"jetstream://geheim@127.0.0.1:1/s?consumer=c&x=": "unknown parameter",
	} {
		err := sub.SubscribeInitialize(url)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("the error has the password: %v", err)
		}
	}
	for url, want := range map[string]string{
		b.url("absent", ""):                  "no stream absent: make it",
		b.url(streamOf(push), ""):            "subject=… is missing: stream topic-2 stores a, b.*",
		b.url(streamOf(push), "subject=c"):   "no stream stores the subject c",
		b.url("topic-1", "subject=b.x"):      "is stored by stream topic-2, not by topic-1",
		b.url(streamOf(push), "subject=b.x"): "",
		b.url("topic-1", ""):                 "",
	} {
		err := pub.Publish(url, message.NewMessage("1", nil))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
	if err := pub.Close(); err != nil {
		t.Error(err)
	}
}
