package sqs_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// identity provides credentials that have no expiry, and is a server that accepts
// only the latest ones.
type identity struct {
	server *sqstest.Server
	code   string // of the server's error about other credentials

	key   atomic.Value // string
	given atomic.Int64 // how often
}

func (i *identity) Retrieve(context.Context) (aws.Credentials, error) {
	i.given.Add(1)
	return aws.Credentials{AccessKeyID: i.key.Load().(string), SecretAccessKey: "test"}, nil
}

func (i *identity) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.Header.Get("Authorization"), "Credential="+i.key.Load().(string)+"/") {
		return i.server.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: http.StatusForbidden, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:    io.NopCloser(strings.NewReader(`{"__type": "com.amazon.coral.service#` + i.code + `", "message": "not accepted"}`)),
		Request: r,
	}, nil
}

func TestExpiredCredentials(t *testing.T) {
	for _, code := range []string{"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"} {
		t.Run(code, func(t *testing.T) {
			both(t, func(b *bench, url string) { expire(b, url, code) })
		})
	}
}

func expire(b *bench, ours, code string) {
	t := b.t
	id := &identity{server: b.server, code: code}
	id.key.Store("first")
	b.load = func(context.Context, url.Values) (aws.Config, error) {
		c := configOf(id)
		c.Credentials = aws.NewCredentialsCache(id)
		return c, nil
	}
	driver := b.driver()
	publisher := queue.NewPublisher(driver)
	if err := errors.Join(driver.Reachable(t.Context(), ours), publisher.Open(t.Context(), ours)); err != nil {
		t.Fatal(err)
	}
	given := id.given.Load()

	// Each operation fails with expired credentials, and succeeds with new ones.
	for name, do := range map[string]func() error{
		"open":           func() error { return driver.Reachable(t.Context(), ours) },
		"open publisher": func() error { return queue.NewPublisher(driver).Open(t.Context(), ours) },
		"publish":        func() error { return publisher.Publish(ours, message.NewMessage("id", []byte("a"))) },
	} {
		id.key.Store(name)
		err := do()
		if err == nil {
			t.Errorf("%s: expired credentials are accepted", name)
		}
		if strings.HasPrefix(name, "open") && !strings.Contains(err.Error(), "renew them") {
			t.Errorf("%s: %v", name, err)
		}
		if err := do(); err != nil {
			t.Errorf("%s with new credentials: %v", name, err)
		}
		if err := do(); err != nil {
			t.Errorf("%s again: %v", name, err)
		}
	}
	if n := id.given.Load() - given; n != 3 {
		t.Errorf("credentials were asked for %d times, want 3", n)
	}

	// Receives and acks do the same.
	w := b.worker(ours, queue.Config{})
	m := w.next()
	id.key.Store("second")
	m.Ack()
	w.next().Ack()
	w.close()
	if got := b.counts(ours); got != "0 visible, 0 in flight" {
		t.Errorf("left: %s", got)
	}
}

func TestExpiredCredentialsOfAnIdleReceiver(t *testing.T) {
	both(t, func(b *bench, ours string) {
		id := &identity{server: b.server, code: "ExpiredToken"}
		id.key.Store("first")
		b.load = func(context.Context, url.Values) (aws.Config, error) {
			c := configOf(id)
			c.Credentials = aws.NewCredentialsCache(id)
			return c, nil
		}
		w := b.worker(ours, queue.Config{})
		id.key.Store("second")
		b.send(ours, "a")
		w.next().Ack()
		b.send(ours, "b")
		w.next().Ack()
		w.close()
	})
}
