package jetstream_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	ours "github.com/bucketsum/bucketsum/adapters/jetstream"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// TestWarnings: the driver warns of settings of a consumer that lose messages.
func TestWarnings(t *testing.T) {
	b := newBench(t)
	var log recorder
	q, err := ours.Driver{Log: log.logger()}.OpenQueue(t.Context(), b.brief(5), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, want := range []string{"ack wait is too short", "max deliver"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, log.String())
		}
	}
	if got := q.(queue.Limiter).DeliveryLimit(); got != 5 {
		t.Errorf("the limit is %d deliveries, want 5", got)
	}
	unlimited, err := ours.Driver{}.OpenQueue(t.Context(), b.topic(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer unlimited.Close()
	if got := unlimited.(queue.Limiter).DeliveryLimit(); got != 0 {
		t.Errorf("the limit of a new consumer is %d deliveries, want none", got)
	}
}

// TestLossWarnings: the driver warns of streams that lose acknowledged messages, both as
// queues and as topics, and says so if a client cannot see it.
func TestLossWarnings(t *testing.T) {
	b := newBench(t)
	for name, tc := range map[string]struct {
		stream jetstream.StreamConfig
		want   string // in the only line of the log
	}{
		"memory": {jetstream.StreamConfig{Storage: jetstream.MemoryStorage}, "level=WARN msg=\"stream is in memory"},
		"async":  {jetstream.StreamConfig{PersistMode: jetstream.AsyncPersistMode}, "level=WARN msg=\"stream acknowledges messages before it writes them"},
		"file":   {jetstream.StreamConfig{}, "level=INFO msg=\"a client cannot see whether nats-server syncs"},
	} {
		t.Run(name, func(t *testing.T) {
			url := b.topic()
			tc.stream.Name = streamOf(url)
			tc.stream.Subjects = []string{tc.stream.Name}
			if _, err := b.js.CreateStream(t.Context(), tc.stream); err != nil {
				t.Fatal(err)
			}
			var log recorder
			d := ours.Driver{Log: log.logger()}
			check := func(what string) {
				t.Helper()
				if got := log.String(); !strings.Contains(got, tc.want) || strings.Count(got, "\n") != 1 {
					t.Errorf("%s: want one line with %q, got:\n%s", what, tc.want, got)
				}
			}
			q, err := d.OpenQueue(t.Context(), url, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			check("queue")
			feed, err := d.OpenTopic(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer feed.Close()
			check("the queue's own topic")
			log.Reset()
			topic, err := d.OpenTopic(t.Context(), b.url(tc.stream.Name, ""))
			if err != nil {
				t.Fatal(err)
			}
			defer topic.Close()
			check("topic")
		})
	}
}
