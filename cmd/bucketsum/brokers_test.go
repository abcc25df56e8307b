package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/pstest"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/bucketsum/bucketsum/adapters/rabbitmq/rabbitmqtest"
)

// brokerURLs are those of a queue and of a topic for its dead letters, which
// create what they name; letters is how these are read.
type brokerURLs struct{ queue, deadLetters, letters string }

// brokers are real servers, by the scheme that they are for.
var brokers = map[string]func(t *testing.T) brokerURLs{
	"jetstream": func(t *testing.T) brokerURLs {
		srv, err := server.NewServer(&server.Options{
			Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		if !srv.ReadyForConnections(time.Minute) {
			t.Fatal("nats-server does not start")
		}
		at := fmt.Sprintf("jetstream://127.0.0.1:%d/", srv.Addr().(*net.TCPAddr).Port)
		return brokerURLs{at + "OBJECTS?consumer=workers&create=true", at + "FAILED?create=true", at + "FAILED?consumer=people&create=true"}
	},
	"kafka": func(t *testing.T) brokerURLs {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(3))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cluster.Close)
		at := "kafka://" + cluster.ListenAddrs()[0] + "/"
		return brokerURLs{at + "objects?group=workers&create=true", at + "failed?create=true", at + "failed?group=people&create=true"}
	},
	"gcppubsub": func(t *testing.T) brokerURLs {
		s := pstest.NewServer()
		t.Cleanup(func() { s.Close() })
		t.Setenv("PUBSUB_EMULATOR_HOST", s.Addr)
		const failed = "gcppubsub://projects/p/subscriptions/failed?topic=failed&create=true"
		return brokerURLs{"gcppubsub://projects/p/subscriptions/objects?topic=objects&create=true", failed, failed}
	},
	"amqp": func(t *testing.T) brokerURLs {
		s := rabbitmqtest.Start(t)
		failed := s.URL("queue=objects.dead")
		return brokerURLs{s.URL("queue=objects&create=true"), failed, failed}
	},
}

// TestServeOnBrokers is the way of an object from its event to its record and
// of a message that can never be handled to the dead letters, on each broker,
// with nothing changed but URLs.
func TestServeOnBrokers(t *testing.T) {
	for scheme, start := range brokers {
		t.Run(scheme, func(t *testing.T) { testServeOn(t, start(t)) })
	}
}

func testServeOn(t *testing.T, urls brokerURLs) {
	const concurrency, objects = 3, 20
	q, err := newQueues(concurrency, time.Second, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}()
	// What is there is created by whoever comes first, as by an administrator.
	reader, err := q.subscriber(urls.queue)
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	pub, err := q.publisher(t.Context(), urls.queue)
	if err != nil {
		t.Fatal(err)
	}
	letters, err := q.subscriber(urls.letters)
	if err != nil {
		t.Fatal(err)
	}
	in, err := letters.Subscribe(context.Background(), urls.letters)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Base(dir)
	put := func(i int) {
		t.Helper()
		key := fmt.Sprint("object-", i)
		write(t, dir, key, []byte(key))
		body := objectEvent("Object Created", name, key, fmt.Sprintf("%02d", i))
		if err := pub.Publish(urls.queue, message.NewMessage(key, []byte(body))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range objects / 2 {
		put(i) // nobody is there yet
	}
	s := serve(t, nil, "--queue", urls.queue, "--dead-letter", urls.deadLetters, "--bucket", "file://"+dir, "--concurrency", fmt.Sprint(concurrency))
	for i := range objects / 2 {
		put(objects/2 + i)
	}
	if err := pub.Publish(urls.queue, message.NewMessage("poison", []byte(`{"detail":`))); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-in:
		if m.UUID != "poison" || string(m.Payload) != `{"detail":` || !strings.Contains(m.Metadata.Get("reason_poisoned"), "JSON") {
			t.Errorf("the dead letter is %s %q with %v", m.UUID, m.Payload, m.Metadata)
		}
		m.Ack()
	case <-time.After(2 * time.Minute):
		t.Fatal("there is no dead letter")
	}
	for i := range objects {
		s.recorded(dir, fmt.Sprint("object-", i))
	}
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
}

// recorded waits until an object has its record.
func (s *serving) recorded(dir, key string) {
	s.t.Helper()
	want := sumOf([]byte(key)) + "  " + key + "\n"
	for {
		got, err := os.ReadFile(filepath.Join(dir, key+".md5"))
		if err == nil {
			if string(got) != want {
				s.t.Errorf("the record of %s is %q, want %q", key, got, want)
			}
			return
		}
		if !errors.Is(err, os.ErrNotExist) {
			s.t.Fatal(err)
		}
		s.until("object handled") // then there is one more
	}
}

// TestServeWarnsOfAtMostOnce: gocloud's NATS is accepted. (There is no server:
// its driver would keep the connection for ever.)
func TestServeWarnsOfAtMostOnce(t *testing.T) {
	t.Setenv("NATS_SERVER_URL", "nats://127.0.0.1:1")
	var stderr strings.Builder
	p := process{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" }}
	status := dispatch(t.Context(), p, []string{"serve", "--listen", "off", "--queue", "nats://objects?natsv2=true", "--bucket", "file://" + t.TempDir()})
	if status == exitOK || !strings.Contains(stderr.String(), "delivers at most once") || !strings.Contains(stderr.String(), "NATS_SERVER_URL") {
		t.Errorf("exit status %d:\n%s", status, stderr.String())
	}
}

func TestSamePlace(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"kafka://h/a?group=g", "kafka://h/a", true},
		{"kafka://h/a?group=g", "kafka://h/b", false},
		{"amqp://h/?queue=a", "amqp://h/?queue=a&create=true", true},
		{"amqp://h/?queue=a", "amqp://h/?queue=a.dead", false},
		{"amqp://h/?queue=a", "amqp://h/v?queue=a", false},
	} {
		if got := samePlace(tc.a, tc.b); got != tc.same {
			t.Errorf("samePlace(%s, %s) is %v", tc.a, tc.b, got)
		}
	}
}

// TestAzureServiceBusOpens as far as it can without Azure: its driver is linked
// and asks for what it needs.
func TestAzureServiceBusOpens(t *testing.T) {
	t.Setenv("SERVICEBUS_CONNECTION_STRING", "")
	t.Setenv("AZURE_SERVICEBUS_HOSTNAME", "")
	var stderr strings.Builder
	p := process{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" }}
	status := dispatch(t.Context(), p, []string{"serve", "--listen", "off", "--queue", "azuresb://objects?subscription=s", "--bucket", "file://" + t.TempDir()})
	if status == exitOK || !strings.Contains(stderr.String(), "untested") || !strings.Contains(stderr.String(), "SERVICEBUS") {
		t.Errorf("exit status %d:\n%s", status, stderr.String())
	}
}
