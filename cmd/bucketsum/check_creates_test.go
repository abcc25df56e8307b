package main

import (
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/pstest"

	"github.com/bucketsum/bucketsum/adapters/jetstream/jetstreamtest"
	"github.com/bucketsum/bucketsum/adapters/kafka/kafkatest"
	"github.com/bucketsum/bucketsum/adapters/rabbitmq/rabbitmqtest"
)

// TestCheckCreatesNoQueue: --check fails for what is missing and leaves it missing, also with create=true. Each
// technology that can create is here.
func TestCheckCreatesNoQueue(t *testing.T) {
	google := pstest.NewServer()
	defer google.Close()
	t.Setenv("PUBSUB_EMULATOR_HOST", google.Addr)
	nats, kafka, rabbit := jetstreamtest.Start(t), kafkatest.Start(t, 1), rabbitmqtest.Start(t)
	dir := t.TempDir()
	check := func(args ...string) (int, string) {
		status, _, stderr := call(t, nil, append([]string{"serve", "--listen", "off", "--bucket", "b=file://" + dir, "--check"}, args...)...)
		return status, stderr
	}
	for name, tc := range map[string]struct{ queue, topic, other string }{
		"jetstream": {nats.URL("QUEUE", "consumer=c&create=true"), nats.URL("TOPIC", "create=true"), nats.URL("OTHER", "create=true")},
		"kafka":     {kafka.URL("queue", "group=g&create=true"), kafka.URL("topic", "create=true"), kafka.URL("other", "create=true")},
		"amqp":      {rabbit.URL("queue=queue&create=true"), rabbit.URL("queue=topic&create=true"), rabbit.URL("queue=other&create=true")},
		"gcppubsub": {
			"gcppubsub://projects/p/subscriptions/queue?topic=events&create=true", "gcppubsub://projects/p/topics/topic?create=true", "gcppubsub://projects/p/topics/other?create=true",
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantMissing := func(args ...string) {
				t.Helper()
				status, stderr := check(args...)
				if status != exitFailed || !strings.Contains(stderr, "there is no ") || !strings.Contains(stderr, "--check creates no queue or topic") {
					t.Errorf("%v: status %d: %s", args, status, stderr)
				}
			}
			for range 2 { // the first one has created nothing
				wantMissing("--queue", tc.queue)
				wantMissing("--queue", "mem://q", "--dead-letter", tc.topic)
				wantMissing("--queue", "mem://q", "--results", tc.topic)
			}
			drivers := queueDrivers(nil)
			d, err := drivers.Of(tc.queue)
			if err != nil {
				t.Fatal(err)
			}
			q, err := d.OpenQueue(t.Context(), tc.queue, 1) // as a worker does
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			for _, url := range []string{tc.topic, tc.other} {
				topic, err := d.OpenTopic(t.Context(), url)
				if err != nil {
					t.Fatal(err)
				}
				defer topic.Close()
			}
			if status, stderr := check("--queue", tc.queue, "--dead-letter", tc.topic, "--results", tc.other); status != exitOK {
				t.Errorf("with queue and topics: status %d: %s", status, stderr)
			}
		})
	}
}
