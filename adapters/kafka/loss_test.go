package kafka

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/kafka/kafkatest"
)

// TestLossSettings: a warning for each setting with which a power cut loses acknowledged
// messages, and none for what is safe or not known.
func TestLossSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		settings settings
		want     []string // one line each
	}{
		"recommended":         {settings{replicas: 3, minInSync: "2", uncleanElect: "false"}, nil},
		"nothing known":       {settings{}, nil},
		"may not describe":    {settings{replicas: 3}, nil},
		"one replica":         {settings{replicas: 1, minInSync: "1"}, []string{"one replica: Kafka acknowledges"}},
		"one replica, synced": {settings{replicas: 1, minInSync: "1", flush: "1"}, nil},
		"one is enough":       {settings{replicas: 3, minInSync: "1"}, []string{"min.insync.replicas to 2"}},
		"compacted":           {settings{replicas: 3, minInSync: "2", cleanup: "compact,delete"}, []string{"cleanup.policy"}},
		"deletes by time":     {settings{replicas: 3, minInSync: "2", cleanup: "delete", keepsFor: "3600000", keepsBytes: "-1"}, []string{"retention=1h0m0s"}},
		"deletes by size":     {settings{replicas: 3, minInSync: "2", cleanup: "delete", keepsFor: "604800000", keepsBytes: "1000"}, []string{"retention_bytes=1000"}},
		"deletes nothing":     {settings{replicas: 3, minInSync: "2", cleanup: "delete", keepsFor: "-1", keepsBytes: "-1"}, nil},
		"unclean":             {settings{replicas: 3, minInSync: "2", uncleanElect: "true"}, []string{"unclean.leader.election.enable"}},
	} {
		var log strings.Builder
		tc.settings.warn(slog.New(slog.NewTextHandler(&log, nil)))
		if got := strings.Count(log.String(), "level=WARN"); got != len(tc.want) {
			t.Errorf("%s: %d warnings, want %d:\n%s", name, got, len(tc.want), log.String())
		}
		for _, want := range tc.want {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%s: the log has no %q:\n%s", name, want, log.String())
			}
		}
	}
}

// TestLossWarning: the driver asks a broker, for queues and for topics.
func TestLossWarning(t *testing.T) {
	s := kafkatest.Start(t, 1) // of one broker
	var log strings.Builder
	d := Driver{Log: slog.New(slog.NewTextHandler(&log, nil))}
	q, err := d.OpenQueue(t.Context(), s.URL("objects", "group=workers&create=true"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	topic, err := d.OpenTopic(t.Context(), s.URL("results", "create=true"))
	if err != nil {
		t.Fatal(err)
	}
	defer topic.Close()
	for _, name := range []string{"objects", "results"} {
		for _, want := range []string{"created what was missing", "topic has one replica"} {
			n := 0
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, "topic="+name) && strings.Contains(line, want) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d lines about %s with %q, want 1:\n%s", n, name, want, log.String())
			}
		}
	}
}
