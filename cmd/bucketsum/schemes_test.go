package main

import (
	"log/slog"
	"strings"
	"testing"
)

// TestServeRefusesAtMostOnce: nats:// would lose messages, and the error names the
// scheme that does not.
func TestServeRefusesAtMostOnce(t *testing.T) {
	status, _, stderr := call(t, nil, "serve", "--listen", "off", "--queue", "nats://objects?natsv2=true", "--bucket", "file://"+t.TempDir())
	if status == exitOK || !strings.Contains(stderr, "delivers at most once") || !strings.Contains(stderr, "jetstream://") {
		t.Errorf("exit status %d:\n%s", status, stderr)
	}
}

// TestWarnsWithoutDeadLetters: the program warns of a queue without dead letters, unless
// it has a topic for them.
func TestWarnsWithoutDeadLetters(t *testing.T) {
	const comes = "is redelivered without limit"
	for scheme, want := range map[string]string{
		"kafka": comes, "jetstream": comes, "mem": comes, "amqp": comes, "amqps": comes, "gcppubsub": comes,
		"awssqs": "", "sqs": "", // SQS can be asked for its redrive policy
	} {
		for _, deadLetter := range []string{"", "mem://failed"} {
			var log strings.Builder
			warnOf(scheme+"://h/q?queue=q", deadLetter, slog.New(slog.NewTextHandler(&log, nil)))
			if deadLetter != "" || want == "" {
				if log.Len() > 0 {
					t.Errorf("%s with dead letters %q: %s", scheme, deadLetter, log.String())
				}
				continue
			}
			for _, part := range []string{want, scheme + "://", "--dead-letter", "level=WARN"} {
				if !strings.Contains(log.String(), part) {
					t.Errorf("%s: the log lacks %q: %s", scheme, part, log.String())
				}
			}
		}
	}
}

// TestServeWarnsWithoutDeadLetters: the command logs that warning.
func TestServeWarnsWithoutDeadLetters(t *testing.T) {
	status, _, stderr := call(t, nil, "serve", "--listen", "off", "--check", "--queue", memoryQueue("q"), "--bucket", "b=file://"+t.TempDir())
	if status != exitOK || !strings.Contains(stderr, "mem:// has no dead letters of its own") {
		t.Errorf("exit status %d:\n%s", status, stderr)
	}
}

// TestMaxDeliveries: --dead-letter limits deliveries wherever they are counted, and to
// less than the 20 deliveries after which RabbitMQ drops or moves a message.
func TestMaxDeliveries(t *testing.T) {
	for scheme, want := range map[string]int{
		"kafka": 10, "jetstream": 10, "amqp": 10, "amqps": 10, "gcppubsub": 10,
		"awssqs": 0, "sqs": 0, "azuresb": 0, "mem": 0,
	} {
		if got := maxDeliveries(scheme + "://h/q"); got != want {
			t.Errorf("%s: %d deliveries, want %d", scheme, got, want)
		}
	}
}

// TestSameQueue: URLs name one queue if they differ in other parameters only.
func TestSameQueue(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"kafka://h/a?group=g", "kafka://h/a", true},
		{"kafka://h/a?group=g", "kafka://h/b", false},
		{"amqp://h/?queue=a", "amqp://h/?queue=a&create=true", true},
		{"amqp://h/?queue=a", "amqp://h/?queue=a.dead", false},
		{"amqp://h/?queue=a", "amqp://h/v?queue=a", false},
		{"amqp://h/?queue=a", "amqps://h/?queue=a", true},
		{"awssqs://h/1/a", "sqs://h/1/a", true},
		{"azuresb://a?subscription=b", "azuresb://a", true}, // the topic that feeds it
		{"kafka://h/a", "jetstream://h/a", false},
	} {
		if got := queueDrivers(nil).SamePlace(tc.a, tc.b); got != tc.same {
			t.Errorf("samePlace(%s, %s) is %v", tc.a, tc.b, got)
		}
	}
}

// TestAzureServiceBusIsLinked: the command has the driver, warns that it is untested and
// names the environment variable that is missing.
func TestAzureServiceBusIsLinked(t *testing.T) {
	t.Setenv("SERVICEBUS_CONNECTION_STRING", "")
	t.Setenv("AZURE_SERVICEBUS_HOSTNAME", "")
	status, _, stderr := call(t, nil, "serve", "--listen", "off", "--queue", "azuresb://objects?subscription=s", "--bucket", "file://"+t.TempDir())
	if status == exitOK || !strings.Contains(stderr, "untested") || !strings.Contains(stderr, "SERVICEBUS") {
		t.Errorf("exit status %d:\n%s", status, stderr)
	}
}
