package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestPublishErrors(t *testing.T) {
	f := startFlow(t, func(*queue.Config) {})
	full := errors.New("quota exceeded for fake://topic?secret=s3cr3t")
	f.publish("before")
	f.queue.change(func() { f.queue.sendErr = full })
	err := f.pub.Publish(f.topic, message.NewMessage("1", nil), message.NewMessage("2", nil))
	if !errors.Is(err, full) || !strings.Contains(err.Error(), f.topic) {
		t.Errorf("got %v, want the queue's error and the topic", err)
	}
	f.queue.change(func() { f.queue.sendErr = nil })
	f.publish("after")
	for _, want := range []string{"before", "after"} {
		m := f.next()
		if string(m.Payload) != want {
			t.Errorf("got %q, want %q", m.Payload, want)
		}
		m.Ack()
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	m := message.NewMessageWithContext(ended, "1", nil)
	if err := f.pub.Publish(f.topic, m); !errors.Is(err, context.Canceled) {
		t.Errorf("Publish of a message whose context ended: %v", err)
	}
	f.close()
	if err := f.pub.Publish(f.topic, message.NewMessage("1", nil)); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Publish after Close: %v", err)
	}
	if err := f.pub.Open(t.Context(), f.topic); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Open after Close: %v", err)
	}
	if _, err := f.sub.Subscribe(t.Context(), f.topic); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Subscribe after Close: %v", err)
	}
}

// A message whose Publish returned nil is in the queue, even if Close runs at the same
// time.
func TestPublishWhileClosing(t *testing.T) {
	for range 20 {
		broker := newFakeBroker()
		pub, sub := newPubSub(t, broker, config(1))
		topic := newTopic()
		var mu sync.Mutex
		sent := 0
		var publishers sync.WaitGroup
		first := make(chan struct{}, 8)
		for range 8 {
			publishers.Go(func() {
				for i := range 1000 {
					if pub.Publish(topic, message.NewMessage(fmt.Sprint(i), nil)) != nil {
						return
					}
					mu.Lock()
					sent++
					mu.Unlock()
					if i == 0 {
						first <- struct{}{}
					}
				}
			})
		}
		<-first
		if err := pub.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		publishers.Wait()
		if ready, _ := broker.queue(topic).left(); ready < sent {
			t.Errorf("%d messages are in the queue, %d were published", ready, sent)
		}
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
	}
}

func withoutSecrets(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"hunter2", "s3cr3t", "p%40ss", "p@ss"} {
		if strings.Contains(text, secret) {
			t.Errorf("the text holds a secret: %s", text)
		}
	}
}

// Drivers quote the URL in several ways.
func TestSecretsStayOutOfErrorsAndLogs(t *testing.T) {
	const url = "fake://user:p%40ss@host/q?token=s3cr3t&x=1"
	driverErr := errors.New(`dial "` + url + `": user p@ss refused, query x=1&token=s3cr3t, token=s3cr3t&x=1`)
	var log bytes.Buffer
	broker := newFakeBroker()
	broker.topicErr = driverErr
	c := config(1)
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	reopened := make(chan struct{})
	c.ReopenDelay = func(attempt int) time.Duration {
		if attempt == 3 {
			close(reopened)
			return time.Hour
		}
		return 0
	}
	pub, sub := newPubSub(t, broker, c)
	err := pub.Open(t.Context(), url)
	if !errors.Is(err, driverErr) || !strings.Contains(err.Error(), "fake://host/q") {
		t.Errorf("got %v, want the driver's error and the URL", err)
	}
	withoutSecrets(t, err.Error())

	if _, err := sub.Subscribe(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	broker.failOpen(driverErr)
	broker.queue(url).change(func() { broker.queue(url).receiveErr = driverErr })
	<-reopened
	if err := sub.Close(); err != nil {
		withoutSecrets(t, err.Error())
	}
	if !strings.Contains(log.String(), "fake://host/q") {
		t.Errorf("the log does not name the queue: %s", log.String())
	}
	withoutSecrets(t, log.String())
	if err := pub.Close(); err != nil {
		t.Error(err)
	}
}
