package cloudpubsub_test

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
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/driver"

	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
)

// deafSubscription never answers an ack.
type deafSubscription struct{ *fakeSubscription }

func (deafSubscription) SendAcks(ctx context.Context, _ []driver.AckID) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestPublishErrors(t *testing.T) {
	f := startFlow(t, func(*cloudpubsub.Config) {})
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
	if err := f.pub.Publish(f.topic, message.NewMessage("1", nil)); !errors.Is(err, cloudpubsub.ErrClosed) {
		t.Errorf("Publish after Close: %v", err)
	}
	if err := f.pub.Open(t.Context(), f.topic); !errors.Is(err, cloudpubsub.ErrClosed) {
		t.Errorf("Open after Close: %v", err)
	}
	if _, err := f.sub.Subscribe(t.Context(), f.topic); !errors.Is(err, cloudpubsub.ErrClosed) {
		t.Errorf("Subscribe after Close: %v", err)
	}
}

// A reason can quote a file name that is not UTF-8, which drivers refuse.
func TestInvalidUTF8Metadata(t *testing.T) {
	f := startFlow(t, func(*cloudpubsub.Config) {})
	m := message.NewMessage("id\xff", []byte("\xff\x00"))
	m.Metadata.Set("reason", "open caf\xe9: denied")
	m.Metadata.Set("k\xff", "v")
	if err := f.pub.Publish(f.topic, m); err != nil {
		t.Fatal(err)
	}
	got := f.next()
	got.Ack()
	if got.UUID != "id\uFFFD" || got.Metadata.Get("reason") != "open caf\uFFFD: denied" || got.Metadata.Get("k\uFFFD") != "v" {
		t.Errorf("got UUID %q and metadata %q", got.UUID, got.Metadata)
	}
	if string(got.Payload) != "\xff\x00" {
		t.Errorf("payload is %q", got.Payload)
	}
	if m.Metadata.Get("k\xff") != "v" {
		t.Error("Publish changed the caller's message")
	}
	f.close()
}

// A Publish that returned nil is in the queue, whatever Close does meanwhile.
func TestPublishWhileClosing(t *testing.T) {
	for range 20 {
		broker := newFakeBroker()
		pub, sub := newPubSub(t, broker.config(1))
		topic := newTopic("fake")
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

// An in-memory topic belongs to the process: the publisher that closes first
// must not take it from the others.
func TestMemTopicOutlivesPublisher(t *testing.T) {
	url := newTopic("mem")
	first, sub := newPubSub(t, cloudpubsub.Config{})
	second, idle := newPubSub(t, cloudpubsub.Config{})
	messages, err := sub.Subscribe(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.Open(t.Context(), url), first.Close()); err != nil {
		t.Fatal(err)
	}
	if err := second.Publish(url, message.NewMessage("1", nil)); err != nil {
		t.Fatal(err)
	}
	(<-messages).Ack()
	if err := errors.Join(second.Close(), sub.Close(), idle.Close()); err != nil {
		t.Error(err)
	}
}

func TestWrongURLs(t *testing.T) {
	for name, test := range map[string]struct {
		url, want string
	}{
		"unknown scheme":   {"sqs://user:hunter2@host/q?token=s3cr3t", `unknown scheme "sqs"; valid are mem://`},
		"no scheme":        {"events", `unknown scheme ""; valid are mem://`},
		"not a URL":        {"amqp://user:hunter2/%zz@host", "not a URL"},
		"password in port": {"amqp://user:hunter2/x@host", "not a URL"},
		"parameter":        {"mem://q?token=s3cr3t", `invalid query parameter "token"`},
		"deadline":         {"mem://q?ackdeadline=soon&token=s3cr3t", `ackdeadline "soon" is not a positive duration`},
		"no deadline":      {"mem://q?ackdeadline=-1s", `ackdeadline "-1s" is not a positive duration`},
	} {
		t.Run(name, func(t *testing.T) {
			pub, sub := newPubSub(t, cloudpubsub.Config{})
			_, subscribeErr := sub.Subscribe(t.Context(), test.url)
			for what, err := range map[string]error{
				"Publisher.Open":      pub.Open(t.Context(), test.url),
				"Publish":             pub.Publish(test.url, message.NewMessage("1", nil)),
				"SubscribeInitialize": sub.SubscribeInitialize(test.url),
				"Subscribe":           subscribeErr,
			} {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: got %v, want %q in it", what, err, test.want)
				}
				withoutSecrets(t, fmt.Sprint(err))
			}
			if err := errors.Join(pub.Close(), sub.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

func withoutSecrets(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"hunter2", "s3cr3t", "p%40ss", "p@ss"} {
		if strings.Contains(text, secret) {
			t.Errorf("the text tells a secret: %s", text)
		}
	}
}

// Drivers quote the URL as they like.
func TestSecretsStayOutOfErrorsAndLogs(t *testing.T) {
	const url = "fake://user:p%40ss@host/q?token=s3cr3t&x=1"
	driverErr := errors.New(`dial "` + url + `": user p@ss refused, query x=1&token=s3cr3t, token=s3cr3t&x=1`)
	var log bytes.Buffer
	broker := newFakeBroker()
	c := broker.config(1)
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	c.OpenTopic = func(context.Context, string) (*pubsub.Topic, error) { return nil, driverErr }
	reopened := make(chan struct{})
	c.ReopenDelay = func(attempt int) time.Duration {
		if attempt == 3 {
			close(reopened)
			return time.Hour
		}
		return 0
	}
	pub, sub := newPubSub(t, c)
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
