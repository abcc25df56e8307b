package main

import (
	"io"
	"strings"
	"testing"
)

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
