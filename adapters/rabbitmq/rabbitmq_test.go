package rabbitmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bucketsum/bucketsum/adapters/rabbitmq"
	"github.com/bucketsum/bucketsum/adapters/rabbitmq/rabbitmqtest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/queue/queuetest"
	"github.com/bucketsum/bucketsum/testenv/tcpproxy"
)

// testNackedWaitsAside: messages that fail do not delay others, and are redelivered.
func testNackedWaitsAside(t *testing.T, s *rabbitmqtest.Server) {
	w := queuetest.NewWorker(t, rabbitmq.Driver{}, newTopic(s), queue.Config{Concurrency: 1, NackDelay: func(int) time.Duration { return 500 * time.Millisecond }})
	w.Send("bad-1", "bad-2", "good")
	w.Next().Nack()
	w.Next().Nack()
	attempts := make(map[string]int)
	for range 3 {
		m := w.Next()
		attempts[m.UUID] = pipeline.Attempt(m)
		m.Ack()
	}
	if want := map[string]int{"good": 1, "bad-1": 2, "bad-2": 2}; !maps.Equal(attempts, want) {
		t.Errorf("attempts are %v, want %v", attempts, want)
	}
	// Exactly as many messages as before are in flight.
	w.Send("a", "b")
	a := w.Next()
	select {
	case m := <-w.Messages:
		t.Errorf("%s is in flight beside the only one that may be", m.UUID)
	default:
	}
	a.Ack()
	w.Next().Ack()

	// The delay is an hour, so that no slow machine can let it pass before the good one comes.
	slow := queuetest.NewWorker(t, rabbitmq.Driver{}, newTopic(s), queue.Config{Concurrency: 1, NackDelay: func(int) time.Duration { return time.Hour }})
	slow.Send("waits", "waits, too", "good")
	slow.Next().Nack()
	slow.Next().Nack()
	good := slow.Next()
	if good.UUID != "good" {
		t.Errorf("got %s before the good one", good.UUID)
	}
	good.Ack()
	if err := slow.Sub.Close(); err != nil { // without waiting for an hour
		t.Error(err)
	}
	left := make(map[string]bool)
	for again := queuetest.NewWorker(t, rabbitmq.Driver{}, slow.URL, queue.Config{}); len(left) < 2; {
		m := again.Next()
		left[m.UUID] = true
		m.Ack()
	}
	if want := map[string]bool{"waits": true, "waits, too": true}; !maps.Equal(left, want) {
		t.Errorf("after the close came %v, want %v", left, want)
	}
}

// testDraining: a worker that stops takes no messages while it finishes those that it
// has, even if that frees a slot. A new subscription takes messages again.
func testDraining(t *testing.T, s *rabbitmqtest.Server) {
	w := queuetest.NewIdle(t, rabbitmq.Driver{}, newTopic(s), queue.Config{Concurrency: 3})
	subscribe := func() (stop context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		w.Subscribe(ctx)
		return cancel
	}
	name := fmt.Sprint("topic-", topics.Load())
	stop := subscribe()
	w.Send("long", "short")
	held := map[string]*message.Message{}
	for range 2 {
		m := w.Next()
		held[m.UUID] = m
	}
	stop()
	s.AwaitConsumers(name, len(held)) // not more than what is in work
	held["short"].Ack()               // which frees a slot
	<-held["short"].Context().Done()

	other := queuetest.NewWorker(t, rabbitmq.Driver{}, w.URL, queue.Config{Concurrency: 1})
	for _, id := range []string{"a", "b", "c", "d"} {
		other.Send(id)
		m := other.Next()
		if m.UUID != id || pipeline.Attempt(m) != 1 {
			t.Errorf("got %s at attempt %d, want %s at the first", m.UUID, pipeline.Attempt(m), id)
		}
		m.Ack()
	}
	if err := other.Sub.Close(); err != nil {
		t.Error(err)
	}
	if err := held["long"].Context().Err(); err != nil {
		t.Errorf("work was cancelled: %v", context.Cause(held["long"].Context()))
	}
	held["long"].Ack()
	<-held["long"].Context().Done()
	if _, more := <-w.Messages; more {
		t.Error("a stopped worker got a message")
	}

	defer subscribe()()
	w.Send("again")
	if m := w.Next(); m.UUID != "again" || pipeline.Attempt(m) != 1 {
		t.Errorf("got %s at attempt %d", m.UUID, pipeline.Attempt(m))
	} else {
		m.Ack()
	}
}

// testDeadLetters: a message that fails too often moves to the dead-letter queue.
func testDeadLetters(t *testing.T, s *rabbitmqtest.Server) {
	w := queuetest.NewWorker(t, rabbitmq.Driver{}, newTopic(s), queue.Config{Concurrency: 1, NackDelay: queuetest.Immediately})
	dead := queuetest.NewWorker(t, rabbitmq.Driver{}, w.URL+".dead", queue.Config{Concurrency: 1})
	w.Send("poison")
	for n := 1; ; n++ {
		select {
		case m := <-w.Messages:
			if got := pipeline.Attempt(m); got != n {
				t.Errorf("attempt is %d, want %d", got, n)
			}
			m.Nack()
			continue
		case m := <-dead.Messages:
			if m.UUID != "poison" || n < 20 {
				t.Errorf("%s is a dead letter after %d deliveries", m.UUID, n-1)
			}
			m.Ack()
		case <-time.After(2 * time.Minute):
			t.Error("there is no dead letter")
		}
		return
	}
}

// testUncountedWarning: the driver warns of queues that do not count deliveries, and only
// of these.
func testUncountedWarning(t *testing.T, s *rabbitmqtest.Server) {
	uncounted := fmt.Sprint("uncounted-", topics.Add(1))
	s.Classic(uncounted)
	for url, want := range map[string]int{newTopic(s): 0, s.URL("queue=" + uncounted): 1} {
		var log bytes.Buffer
		d := rabbitmq.Driver{Log: slog.New(slog.NewTextHandler(&log, nil))}
		w := queuetest.NewWorker(t, d, url, queue.Config{Concurrency: 1, NackDelay: queuetest.Immediately})
		w.Send("fails")
		for range 3 {
			w.Next().Nack()
		}
		w.Next().Ack()
		if err := w.Sub.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Count(log.String(), "the queue does not count deliveries"); got != want {
			t.Errorf("%s: %d warnings, want %d:\n%s", url, got, want, log.String())
		}
	}
}

// testTransientWarning: the driver warns once of messages that a restart may lose.
func testTransientWarning(t *testing.T, s *rabbitmqtest.Server) {
	queueName := fmt.Sprint("transient-", topics.Add(1))
	s.Classic(queueName)
	var log bytes.Buffer
	d := rabbitmq.Driver{Log: slog.New(slog.NewTextHandler(&log, nil))}
	w := queuetest.NewWorker(t, d, s.URL("queue="+queueName), queue.Config{Concurrency: 1})
	w.Send("persistent")
	w.Next().Ack()
	if got := log.String(); strings.Contains(got, "marked as transient") || strings.Count(got, "queue is classic") != 1 {
		t.Errorf("a persistent message: %s", got)
	}
	for range 2 {
		s.SendTransient(queueName, "transient")
		w.Next().Ack()
	}
	w.Close()
	if got := strings.Count(log.String(), "marked as transient"); got != 1 {
		t.Errorf("%d warnings, want 1:\n%s", got, log.String())
	}
}

// testLostLease: a lost connection cancels the work, and the message is redelivered.
func testLostLease(t *testing.T, s *rabbitmqtest.Server) {
	w := queuetest.NewWorker(t, rabbitmq.Driver{}, newTopic(s), queue.Config{Concurrency: 1, ReopenDelay: queuetest.Soon})
	w.Send("long")
	m := w.Next()
	s.Restart()
	select {
	case <-m.Context().Done():
	case <-time.After(2 * time.Minute):
		t.Fatal("the work is not cancelled")
	}
	if cause := context.Cause(m.Context()); !errors.Is(cause, pipeline.ErrLeaseLost) {
		t.Errorf("the work was cancelled because of %v, want ErrLeaseLost", cause)
	}
	m.Ack() // too late: it has no effect
	again := w.Next()
	if again.UUID != "long" || pipeline.Attempt(again) < 1 {
		t.Errorf("got %s at attempt %d", again.UUID, pipeline.Attempt(again))
	}
	again.Ack()
}

// testReopensOnce: after each loss of its connection a subscriber connects once. The
// client of RabbitMQ could reconnect too: that would make two consumers for one slot.
func testReopensOnce(t *testing.T, s *rabbitmqtest.Server) {
	client := amqp.DefaultReconnectionConfig
	defer func(interval time.Duration) { client.RetryInterval = interval }(client.RetryInterval)
	client.RetryInterval = time.Millisecond // so that it would be the first
	proxy := tcpproxy.Start(t, "127.0.0.1:"+s.Port())
	name := fmt.Sprint("topic-", topics.Add(1))
	w := queuetest.NewIdle(t, rabbitmq.Driver{}, s.URL("create=true&queue="+name), queue.Config{Concurrency: 2, ReopenDelay: queuetest.Soon})
	var err error
	if w.Messages, err = w.Sub.Subscribe(t.Context(), "amqp://"+proxy.Address()+"/?queue="+name+"&create=true"); err != nil {
		t.Fatal(err)
	}
	for losses := range 3 {
		id := fmt.Sprint(losses)
		w.Send(id)
		held := w.Next()
		proxy.Cut()
		<-held.Context().Done()
		proxy.Mend()
		again := w.Next()
		held.Nack() // its work was interrupted; the lost connection stays open until now
		if again.UUID != id {
			t.Errorf("got %s, want %s", again.UUID, id)
		}
		again.Ack()
		<-again.Context().Done() // the ack is sent
	}
	s.AwaitConsumers(name, 2)
	if got := proxy.Opened(); got != 4 {
		t.Errorf("%d connections after 3 losses, want 4", got)
	}
}

// testTopics: a message that no queue takes is an error, and the next one is sent.
func testTopics(t *testing.T, s *rabbitmqtest.Server) {
	w := queuetest.NewWorker(t, rabbitmq.Driver{}, newTopic(s), queue.Config{})
	name := fmt.Sprint("topic-", topics.Load())
	url := s.URL("exchange=amq.direct&key=objects")
	if err := w.Pub.Publish(url, message.NewMessage("1", nil)); err == nil || !strings.Contains(err.Error(), "no queue takes the message") {
		t.Errorf("publish with a key without a binding: %v", err)
	}
	s.Bind(name, "amq.direct", "objects")
	m := message.NewMessage("2", []byte("x"))
	m.Metadata.Set("x-delivery-count", "7") // left over from another queue
	if err := w.Pub.Publish(url, m); err != nil {
		t.Error(err)
	}
	got := w.Next()
	if got.UUID != "2" || pipeline.Attempt(got) != 1 || got.Metadata.Get("x-delivery-count") != "7" {
		t.Errorf("got %s with %v", got.UUID, got.Metadata)
	}
	got.Ack()
}

// testURLErrors opens what cannot be opened.
func testURLErrors(t *testing.T, s *rabbitmqtest.Server) {
	pub, sub := queuetest.Open(t, rabbitmq.Driver{}, queue.Config{})
	host := "amqp://geheim:geheim@127.0.0.1:" + s.Port()
	for url, want := range map[string]string{
		s.URL("queue=absent"):                         "no queue absent: make it",
		s.URL(""):                                     "queue=NAME is missing",
		s.URL("queue=a&prefetch=3"):                   `unknown parameter "prefetch"; valid are queue, exchange, key, create`,
		s.URL("queue=a&exchange=b"):                   "queue=… excludes exchange",
		s.URL("exchange=b&create=true"):               "creates queues, not exchanges",
		s.URL("queue=a&create=2"):                     `create is "2", neither true nor false`,
		s.URL("queue=" + strings.Repeat("long", 100)): "250 bytes",
		host + "/?queue=a":                            "username or password not allowed",
		"amqp://u:geheim@127.0.0.1:1/?queue=a":        "connect to 127.0.0.1:1",
		"amqp:///?queue=a":                            "it must have the form amqp://HOST:5672/VHOST?queue=NAME",
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
		s.URL("queue=absent"):          "no queue absent: make it",
		s.URL("exchange=absent&key=a"): "look up exchange absent",
		s.URL("key=a"):                 "queue=NAME or exchange=NAME is missing",
	} {
		if err := pub.Publish(url, message.NewMessage("1", nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
	if err := errors.Join(sub.Close(), pub.Close()); err != nil {
		t.Error(err)
	}
}
