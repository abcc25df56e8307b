package cloudpubsub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// A reason can quote a file name that is not UTF-8, which gocloud refuses.
func TestInvalidUTF8Metadata(t *testing.T) {
	url := newTopic()
	pub, sub := newPubSub(t, queue.Config{})
	messages, err := sub.Subscribe(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	m := message.NewMessage("id\xff", []byte("\xff\x00"))
	m.Metadata.Set("reason", "open caf\xe9: denied")
	m.Metadata.Set("k\xff", "v")
	if err := pub.Publish(url, m); err != nil {
		t.Fatal(err)
	}
	got := <-messages
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
	if err := errors.Join(pub.Close(), sub.Close()); err != nil {
		t.Error(err)
	}
}

// A message without a UUID gets gocloud's id, and its deliveries are counted by it.
func TestForeignMessage(t *testing.T) {
	url := newTopic()
	pub, sub := newPubSub(t, queue.Config{NackDelay: immediately})
	messages, err := sub.Subscribe(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Publish(url, message.NewMessage("", []byte("x"))); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		m := <-messages
		if m.UUID != "msg #0" || pipeline.Attempt(m) != n {
			t.Errorf("got message %q, attempt %d, want msg #0, attempt %d", m.UUID, pipeline.Attempt(m), n)
		}
		if n == 1 {
			m.Nack()
			continue
		}
		m.Ack()
	}
	if err := errors.Join(pub.Close(), sub.Close()); err != nil {
		t.Error(err)
	}
}

// An in-memory topic belongs to the process: the publisher that closes first
// must not take it from the others.
func TestMemTopicOutlivesPublisher(t *testing.T) {
	url := newTopic()
	first, sub := newPubSub(t, queue.Config{})
	second, idle := newPubSub(t, queue.Config{})
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
		"unknown scheme":   {"sqs://user:hunter2@host/q?ackdeadline=s3cr3t", `unknown scheme "sqs"; valid is mem://`},
		"no scheme":        {"events", `unknown scheme ""; valid is mem://`},
		"not a URL":        {"amqp://user:hunter2/%zz@host", "not a URL"},
		"password in port": {"amqp://user:hunter2/x@host", "not a URL"},
		"parameter":        {"mem://q?token=s3cr3t", `unknown parameter "token"; valid are ackdeadline`},
		"deadline":         {"mem://user:hunter2@q?ackdeadline=soon", `ackdeadline "soon" is not a positive duration`},
		"no deadline":      {"mem://q?ackdeadline=-1s", `ackdeadline "-1s" is not a positive duration`},
	} {
		t.Run(name, func(t *testing.T) {
			pub, sub := newPubSub(t, queue.Config{})
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
			t.Errorf("the text holds a secret: %s", text)
		}
	}
}

// A subscriber that was fast and becomes slow holds no messages whose leases run out.
func TestMemDoesNotFetchFarAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		url := newTopic() + "?ackdeadline=1m"
		pub, sub := newPubSub(t, queue.Config{Concurrency: 1})
		if err := sub.SubscribeInitialize(url); err != nil {
			t.Fatal(err)
		}
		const n = 500
		for i := range n {
			if err := pub.Publish(url, message.NewMessage(fmt.Sprint(i), nil)); err != nil {
				t.Fatal(err)
			}
		}
		messages, err := sub.Subscribe(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		deliveries := map[string]int{}
		for i := range n {
			m := <-messages
			deliveries[m.UUID]++
			if i > n-50 {
				time.Sleep(25 * time.Second) // and it was fetched ahead for as long
			}
			m.Ack()
		}
		if len(deliveries) != n {
			t.Errorf("%d different messages of %d came: others came twice", len(deliveries), n)
		}
		closeMem(t, pub, sub)
	})
}

// closeMem also waits for the end of mempubsub's last poll, which does not look
// at its context.
func closeMem(t *testing.T, pub *queue.Publisher, sub *queue.Subscriber) {
	t.Helper()
	if err := errors.Join(sub.Close(), pub.Close()); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Second)
}

// A large file takes longer than the minute that gocloud leases a message for.
func TestMemLeaseOutlastsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		url := newTopic()
		pub, sub := newPubSub(t, queue.Config{Concurrency: 2})
		messages, err := sub.Subscribe(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		if err := pub.Publish(url, message.NewMessage("large", nil)); err != nil {
			t.Fatal(err)
		}
		m := <-messages
		select {
		case <-messages:
			t.Error("the message came again while it was in work")
		case <-time.After(10 * time.Minute):
		}
		m.Ack()
		closeMem(t, pub, sub)
	})
}
