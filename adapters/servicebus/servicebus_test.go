package servicebus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/servicebus"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/queue/queuetest"
)

func newWorker(t *testing.T, url string, c queue.Config) *queuetest.Worker {
	t.Helper()
	return queuetest.NewWorker(t, servicebus.Driver{}, url, c)
}

// next returns the next message, which must have this UUID and attempt.
func next(t *testing.T, w *queuetest.Worker, uuid string, attempt int) *message.Message {
	t.Helper()
	m := w.Next()
	if m.UUID != uuid || pipeline.Attempt(m) != attempt {
		t.Errorf("got %s at attempt %d, want %s at %d", m.UUID, pipeline.Attempt(m), uuid, attempt)
	}
	return m
}

// TestLockIsRenewed holds a message for longer than its lock lasts.
func TestLockIsRenewed(t *testing.T) {
	s := newServer(t, time.Second)
	s.Queue("objects")
	w := newWorker(t, "azuresb://objects", queue.Config{Concurrency: 2})
	w.Send("long")
	m := next(t, w, "long", 1)
	for range 6 { // each about a third of the lock
		<-s.Renewals
	}
	select {
	case again := <-w.Messages:
		t.Errorf("%s was delivered again", again.UUID)
	default:
	}
	if err := m.Context().Err(); err != nil {
		t.Errorf("the lease ended: %v", context.Cause(m.Context()))
	}
	m.Ack()
	<-m.Context().Done() // Service Bus has completed it
	if n := s.Left("objects"); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// TestLostLock ends locks under work that is in progress.
func TestLostLock(t *testing.T) {
	s := newServer(t, time.Second)
	s.Queue("objects")
	w := newWorker(t, "azuresb://objects", queue.Config{Concurrency: 1})
	w.Send("long")
	m := next(t, w, "long", 1)
	s.Expire("objects")
	<-m.Context().Done()
	if cause := context.Cause(m.Context()); !errors.Is(cause, pipeline.ErrLeaseLost) {
		t.Errorf("the work was cancelled because of %v, want ErrLeaseLost", cause)
	}
	m.Ack() // too late: it has no effect
	next(t, w, "long", 2).Ack()
}

// TestAckAfterLostLock acks a message before its heartbeat can notice the loss.
func TestAckAfterLostLock(t *testing.T) {
	s := newServer(t, time.Minute)
	s.Queue("objects")
	pub, _ := queuetest.Open(t, servicebus.Driver{}, queue.Config{})
	defer pub.Close()
	if err := pub.Publish("azuresb://objects", message.NewMessage("lost", nil)); err != nil {
		t.Fatal(err)
	}
	q, err := servicebus.Driver{}.OpenQueue(t.Context(), "azuresb://objects", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for name, settle := range map[string]func(*queue.Lease) error{
		"ack":  func(l *queue.Lease) error { return l.Ack(t.Context()) },
		"nack": func(l *queue.Lease) error { return l.Nack(t.Context(), 0) },
	} {
		got, err := q.Receive(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		s.Expire("objects")
		if err := settle(got[0].Lease); !errors.Is(err, pipeline.ErrLeaseLost) {
			t.Errorf("%s: %v, want ErrLeaseLost", name, err)
		}
	}
}

// TestAckAfterReconnect acks through another connection than that of the delivery.
func TestAckAfterReconnect(t *testing.T) {
	s := newServer(t, 2*time.Second)
	s.Queue("objects")
	w := newWorker(t, "azuresb://objects", queue.Config{Concurrency: 2, ReopenDelay: queuetest.Immediately})
	for n := range 3 {
		id := fmt.Sprint("old-", n)
		w.Send(id)
		old := next(t, w, id, 1)
		s.Cut()
		w.Send("new")
		next(t, w, "new", 1).Ack()
		old.Ack()
		<-old.Context().Done()
	}
	if n := s.Left("objects"); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// TestDeadLetters fails a message until Service Bus moves it.
func TestDeadLetters(t *testing.T) {
	s := newServer(t, time.Minute)
	s.Queue("objects")
	w := newWorker(t, "azuresb://objects", queue.Config{Concurrency: 1, NackDelay: queuetest.Immediately})
	dead := newWorker(t, "azuresb://objects/$DeadLetterQueue", queue.Config{Concurrency: 1})
	m := message.NewMessage("poison", []byte("body"))
	m.Metadata.Set("name", "value")
	if err := w.Pub.Publish(w.URL, m); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 10; n++ {
		next(t, w, "poison", n).Nack()
	}
	got := next(t, dead, "poison", 1)
	delete(got.Metadata, pipeline.MetadataAttempt)
	if diff := cmp.Diff(m.Metadata, got.Metadata); diff != "" || string(got.Payload) != "body" {
		t.Errorf("payload %q; metadata (-want +got):\n%s", got.Payload, diff)
	}
	got.Ack()
}

// TestUnreadableMessage sends a message on which Azure's client panics.
func TestUnreadableMessage(t *testing.T) {
	s := newServer(t, 300*time.Millisecond)
	s.Queue("objects")
	client, err := azservicebus.NewClientFromConnectionString(s.ConnectionString(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(t.Context())
	sender, err := client.NewSender("objects", nil)
	if err != nil {
		t.Fatal(err)
	}
	bad := &azservicebus.Message{ApplicationProperties: map[string]any{"DeadLetterReason": int32(5)}}
	if err := sender.SendMessage(t.Context(), bad, nil); err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, "azuresb://objects", queue.Config{Concurrency: 1, ReopenDelay: queuetest.Immediately})
	w.Send("good")
	next(t, w, "good", 1).Ack()
	select {
	case <-s.DeadLetters: // its locks have expired
	case <-time.After(time.Minute):
		t.Error("the unreadable message is no dead letter")
	}
}

// TestURLErrors opens what cannot be opened.
func TestURLErrors(t *testing.T) {
	s := newServer(t, time.Minute)
	s.Topic("objects", "workers")
	pub, sub := queuetest.Open(t, servicebus.Driver{}, queue.Config{})
	for url, want := range map[string]string{
		"azuresb://absent":                         "there is no queue or topic absent in the namespace: create it",
		"azuresb://objects?subscription=absent":    "there is no subscription absent of topic objects",
		"azuresb://objects?subscription=a&lock=1m": `unknown parameter "lock"; valid are subscription, listener_timeout`,
		"azuresb:///?subscription=a":               "it must have the form azuresb://TOPIC?subscription=NAME or azuresb://QUEUE",
	} {
		if err := sub.SubscribeInitialize(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
	if err := pub.Publish("azuresb://absent", message.NewMessage("1", nil)); err == nil || !strings.Contains(err.Error(), "no queue or topic absent") {
		t.Errorf("publish: %v", err)
	}
	for _, url := range []string{
		"azuresb://objects?subscription=workers", "azuresb://Objects?subscription=Workers",
		"azuresb://objects?subscription=workers&listener_timeout=2s&max_recv_batch_size=10", // gocloud's
	} {
		if err := sub.SubscribeInitialize(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := errors.Join(sub.Close(), pub.Close()); err != nil {
		t.Error(err)
	}
}

// TestNamespaceErrors opens a queue without a usable namespace. No error has the key.
func TestNamespaceErrors(t *testing.T) {
	for secret, want := range map[string]string{
		"": "set SERVICEBUS_CONNECTION_STRING, or AZURE_SERVICEBUS_HOSTNAME",
		"Endpoint=sb://h/;SharedAccessKey=geheim":      "SERVICEBUS_CONNECTION_STRING is not valid",
		"Endpoint=sb://h:%zz/;SharedAccessKey=geheim;": "SERVICEBUS_CONNECTION_STRING is not valid",
	} {
		t.Setenv("SERVICEBUS_CONNECTION_STRING", secret)
		t.Setenv("AZURE_SERVICEBUS_HOSTNAME", "")
		_, err := servicebus.Driver{}.OpenQueue(t.Context(), "azuresb://objects", 1)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: got %v, want %q", secret, err, want)
		}
	}
}
