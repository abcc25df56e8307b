package rabbitmq_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bucketsum/bucketsum/adapters/rabbitmq"
	"github.com/bucketsum/bucketsum/adapters/rabbitmq/rabbitmqtest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// testLossWarnings: the driver warns of queues that lose messages, and of those that it creates.
func testLossWarnings(t *testing.T, s *rabbitmqtest.Server) {
	for name, tc := range map[string]struct {
		durable, autoDelete bool
		arguments           amqp.Table
		queue, topic        string // the only line of the log; "": none
	}{
		"loss-quorum":      {durable: true, arguments: amqp.Table{"x-queue-type": "quorum"}},
		"loss-classic":     {durable: true, queue: "queue is classic"}, // a topic's messages are persistent
		"loss-named":       {durable: true, arguments: amqp.Table{"x-queue-type": "classic"}, queue: "queue is classic"},
		"loss-transient":   {queue: "queue is not durable", topic: "queue is not durable"},
		"loss-auto-delete": {durable: true, autoDelete: true, queue: "last consumer goes", topic: "last consumer goes"},
	} {
		if err := s.Declare(name, tc.durable, tc.autoDelete, tc.arguments); err != nil {
			t.Fatal(err)
		}
		checkLog(t, name, s.URL("queue="+name), tc.queue, tc.topic)
	}
	checkLog(t, "created", s.URL("queue=loss-new&create=true"), "created what was missing", "")
	checkLog(t, "there already", s.URL("queue=loss-new&create=true"), "", "")

	// The declaration that asks is refused for a queue that does not exist, too.
	var fault *amqp.Error
	if err := s.Declare("loss-absent", true, false, amqp.Table{"x-queue-type": "bucketsum-asks"}); !errors.As(err, &fault) || fault.Code != amqp.PreconditionFailed {
		t.Errorf("the declaration of an unknown type: %v", err)
	}
	for _, url := range []string{s.URL("queue=loss-absent"), queue.WithoutCreate(s.URL("queue=loss-absent&create=true"))} {
		if _, err := (rabbitmq.Driver{}).OpenQueue(t.Context(), url, 1); err == nil || !strings.Contains(err.Error(), "there is no queue loss-absent") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// checkLog opens a queue and a topic, and compares what they log.
func checkLog(t *testing.T, what, url, wantQueue, wantTopic string) {
	t.Helper()
	var log bytes.Buffer
	d := rabbitmq.Driver{Log: slog.New(slog.NewTextHandler(&log, nil))}
	check := func(kind, want string) {
		t.Helper()
		lines := strings.Count(log.String(), "\n")
		if want == "" && lines > 0 || want != "" && (lines != 1 || !strings.Contains(log.String(), want) || !strings.Contains(log.String(), "level=WARN")) {
			t.Errorf("%s, %s: want one line with %q, got:\n%s", what, kind, want, log.String())
		}
		log.Reset()
	}
	q, err := d.OpenQueue(t.Context(), url, 1)
	if err != nil {
		t.Fatal(err)
	}
	check("queue", wantQueue)
	topic, err := d.OpenTopic(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	check("topic", wantTopic)
	for _, c := range []interface{ Close() error }{topic, q} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
