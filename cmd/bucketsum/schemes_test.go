package main

import (
	"io"
	"log/slog"
	"strings"
	"testing"
)

// TestServeRefusesAtMostOnce: nats:// would lose messages, and the error names the
// scheme that does not.
func TestServeRefusesAtMostOnce(t *testing.T) {
	var stderr strings.Builder
	p := process{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" }}
	status := dispatch(t.Context(), p, []string{"serve", "--listen", "off", "--queue", "nats://objects?natsv2=true", "--bucket", "file://" + t.TempDir()})
	if status == exitOK || !strings.Contains(stderr.String(), "delivers at most once") || !strings.Contains(stderr.String(), "jetstream://") {
		t.Errorf("exit status %d:\n%s", status, stderr.String())
	}
}

// TestWarnsWithoutDeadLetters: who has nowhere to put away what always fails is
// told so, unless the scheme does not allow that.
func TestWarnsWithoutDeadLetters(t *testing.T) {
	const comes = "comes again for ever"
	for scheme, want := range map[string]string{
		"kafka": comes, "jetstream": comes, "mem": comes, "amqp": comes, "amqps": comes, "gcppubsub": comes,
		"awssqs": "", "sqs": "", // SQS has a redrive policy to be asked for
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

// TestServeWarnsWithoutDeadLetters: the command says so, too.
func TestServeWarnsWithoutDeadLetters(t *testing.T) {
	var stderr strings.Builder
	p := process{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" }}
	status := dispatch(t.Context(), p, []string{"serve", "--listen", "off", "--check", "--queue", memory("q"), "--bucket", "b=file://" + t.TempDir()})
	if status != exitOK || !strings.Contains(stderr.String(), "mem:// has no dead letters of its own") {
		t.Errorf("exit status %d:\n%s", status, stderr.String())
	}
}

// TestMaxDeliveries: --dead-letter bounds deliveries wherever they are counted, and
// does so before a queue of RabbitMQ drops or moves what failed 20 of them.
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
