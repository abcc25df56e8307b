package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/queue/queuetest"
)

// TestEviction: when a group evicts a worker, its unfinished work is cancelled and
// repeated by the next owner of the partition. Finished work is not repeated.
func TestEviction(t *testing.T) {
	s := newServer(t, 1)
	url := s.topic()
	w := queuetest.NewWorker(t, quick, url, queue.Config{Concurrency: 2})
	w.Send("long")
	long := w.Next()
	w.Send("short")
	w.Next().Ack()
	w.Send("later")
	later := w.Next()
	s.Evict("workers")
	for _, m := range []*message.Message{long, later} {
		select {
		case <-m.Context().Done():
		case <-time.After(2 * time.Minute):
			t.Fatal("the work is not cancelled")
		}
		if cause := context.Cause(m.Context()); !errors.Is(cause, pipeline.ErrLeaseLost) {
			t.Errorf("the work was cancelled because of %v, want ErrLeaseLost", cause)
		}
	}
	long.Ack()   // too late: it has no effect
	later.Nack() // interrupted
	for range 2 {
		m := w.Next()
		if m.UUID == "short" {
			t.Error("finished work is done again")
		}
		m.Ack()
	}
	w.Close()
	after := queuetest.NewWorker(t, quick, url, queue.Config{})
	after.Send("end")
	if m := after.Next(); m.UUID != "end" {
		t.Errorf("got %s again", m.UUID)
	} else {
		m.Ack()
	}
}

// TestFinishedOutOfOrder: after a crash only unfinished messages are repeated.
func TestFinishedOutOfOrder(t *testing.T) {
	s := newServer(t, 1)
	url := s.topic()
	w := queuetest.NewWorker(t, quick, url, queue.Config{Concurrency: 6})
	w.Send("0", "1", "2", "3", "4", "5")
	held := make(map[string]*message.Message) // they are delivered at the same time
	for range 6 {
		m := w.Next()
		held[m.UUID] = m
	}
	for _, id := range []string{"5", "1", "3"} {
		held[id].Ack()
		<-held[id].Context().Done() // it is committed
		delete(held, id)
	}
	s.Evict("workers") // as if it had crashed
	for _, m := range held {
		<-m.Context().Done()
		m.Nack()
	}
	for len(held) > 0 {
		m := w.Next()
		if held[m.UUID] == nil {
			t.Errorf("%s is done again", m.UUID)
		}
		delete(held, m.UUID)
		m.Ack()
	}
}

// TestRebalance: when another worker joins, it gets partitions after the work on them has
// finished. No message is lost or handled twice.
func TestRebalance(t *testing.T) {
	s := newServer(t, 4)
	url := s.topic()
	first := queuetest.NewWorker(t, quick, url, queue.Config{Concurrency: 4})
	const n = 400
	done := make(chan string, 2*n)
	work := func(w *queuetest.Worker) {
		for m := range w.Messages {
			done <- m.UUID
			m.Ack()
		}
	}
	go work(first)
	var second *queuetest.Worker
	for i := range n {
		first.Send(fmt.Sprint(i))
		if i == n/2 {
			second = queuetest.NewWorker(t, quick, url, queue.Config{Concurrency: 4})
			go work(second)
		}
	}
	seen := make(map[string]bool)
	for range n {
		select {
		case id := <-done:
			if seen[id] {
				t.Errorf("%s is done twice", id)
			}
			seen[id] = true
		case <-time.After(2 * time.Minute):
			t.Fatalf("%d of %d messages are done", len(seen), n)
		}
	}
	first.Close()
	second.Close()
}

// TestNackedWaitsAside: messages that fail do not delay others.
func TestNackedWaitsAside(t *testing.T) {
	s := newServer(t, 1)
	url := s.topic()
	w := queuetest.NewWorker(t, quick, url, queue.Config{Concurrency: 1, NackDelay: func(int) time.Duration { return time.Hour }})
	w.Send("bad-1", "bad-2", "good")
	w.Next().Nack()
	w.Next().Nack()
	if m := w.Next(); m.UUID != "good" {
		t.Errorf("got %s, want the good one", m.UUID)
	} else {
		m.Ack()
	}
	w.Close() // without waiting for an hour
	again := queuetest.NewWorker(t, quick, url, queue.Config{Concurrency: 1})
	for _, want := range []string{"bad-1", "bad-2"} {
		m := again.Next()
		if m.UUID != want {
			t.Errorf("got %s, want %s", m.UUID, want)
		}
		m.Ack()
	}
}

// TestMoreFailThanMayWait: all failed messages are redelivered, even if more fail than
// may wait.
func TestMoreFailThanMayWait(t *testing.T) {
	const concurrency, n = 2, 17*2 + 6 // 16 may wait for each that may be in flight
	s := newServer(t, 1)
	url := s.topic()
	w := queuetest.NewWorker(t, quick, url, queue.Config{Concurrency: concurrency, NackDelay: func(int) time.Duration { return 300 * time.Millisecond }})
	for i := range n {
		w.Send(fmt.Sprint(i))
	}
	attempts := make(map[string]int)
	for left := n; left > 0; {
		m := w.Next()
		attempts[m.UUID]++
		if got := pipeline.Attempt(m); got != attempts[m.UUID] {
			t.Errorf("%s is at attempt %d, want %d", m.UUID, got, attempts[m.UUID])
		}
		if attempts[m.UUID] < 3 {
			m.Nack()
			continue
		}
		m.Ack()
		left--
	}
	if len(attempts) != n {
		t.Errorf("%d messages came, want %d", len(attempts), n)
	}
	w.Close()
}

// TestURLErrors opens what cannot be opened.
func TestURLErrors(t *testing.T) {
	s := newServer(t, 1)
	pub, sub := queuetest.Open(t, quick, queue.Config{})
	for url, want := range map[string]string{
		s.URL("absent", "group=g"):               "no topic absent: make it (kafka-topics.sh --create --topic absent",
		s.URL("absent", ""):                      "group=NAME is missing",
		s.URL("", "group=g"):                     "it must have the form kafka://HOST:9092/TOPIC?group=GROUP",
		s.URL("t", "group=g&offset=oldest"):      `unknown parameter "offset"; valid are group, brokers, create, tls, sasl`,
		s.URL("t", "group=g&sasl=plain"):         "needs a user and a password",
		s.URL("t", "group=g&sasl=kerberos"):      `parameter sasl is "kerberos", none of`,
		s.URL("t", "group=g&create=1"):           `create is "1", neither true nor false`,
		"kafka://u:geheim@127.0.0.1:1/t?group=g": "ask 127.0.0.1:1 for topic t",
	} {
		err := sub.SubscribeInitialize(url)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("the error has the password: %v", err)
		}
	}
	if err := pub.Publish(s.URL("absent", ""), message.NewMessage("1", nil)); err == nil || !strings.Contains(err.Error(), "no topic absent") {
		t.Errorf("publish: got %v", err)
	}
	if err := errors.Join(sub.Close(), pub.Close()); err != nil {
		t.Error(err)
	}
}
