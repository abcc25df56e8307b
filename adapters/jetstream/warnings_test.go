package jetstream_test

import (
	"errors"
	"strings"
	"testing"
	"time"

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
			first, err := ours.Driver{}.OpenQueue(t.Context(), url, 1) // creates the consumer
			if err != nil {
				t.Fatal(err)
			}
			first.Close()
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

// TestLimitWarnings: the driver warns of limits of a stream and of its consumer.
func TestLimitWarnings(t *testing.T) {
	b := newBench(t)
	const syncs = "a client cannot see whether"
	for name, tc := range map[string]struct {
		stream      jetstream.StreamConfig
		want, topic []string // beside the line about syncs
	}{
		"age":        {jetstream.StreamConfig{MaxAge: time.Hour}, []string{"max_age=1h0m0s"}, nil},
		"messages":   {jetstream.StreamConfig{MaxMsgs: 10}, []string{"drops its oldest messages"}, nil},
		"bytes":      {jetstream.StreamConfig{MaxBytes: 1000}, []string{"drops its oldest messages"}, nil},
		"subject":    {jetstream.StreamConfig{MaxMsgsPerSubject: 1}, []string{"drops its oldest messages"}, nil},
		"refuses":    {jetstream.StreamConfig{MaxMsgs: 10, Discard: jetstream.DiscardNew}, []string{"refuses messages when it is full"}, nil},
		"new only":   {jetstream.StreamConfig{Discard: jetstream.DiscardNew}, nil, nil},
		"work queue": {jetstream.StreamConfig{Retention: jetstream.WorkQueuePolicy}, nil, nil},
		"interest":   {jetstream.StreamConfig{Retention: jetstream.InterestPolicy}, nil, []string{"it has none: what is sent now is acknowledged and not stored"}},
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
			check := func(what string, want ...string) {
				t.Helper()
				got := log.String()
				for _, text := range want {
					if !strings.Contains(got, text) {
						t.Errorf("%s: no line has %q:\n%s", what, text, got)
					}
				}
				if n := strings.Count(got, "\n"); n != len(want) {
					t.Errorf("%s: %d lines, want %d:\n%s", what, n, len(want), got)
				}
				log.Reset()
			}
			for _, with := range []string{"without a consumer", "with a consumer"} {
				topic, err := d.OpenTopic(t.Context(), b.url(tc.stream.Name, ""))
				if err != nil {
					t.Fatal(err)
				}
				defer topic.Close()
				want := append([]string{syncs}, tc.want...)
				if with == "without a consumer" {
					want = append(want, tc.topic...)
				}
				check("topic "+with, want...)
				q, err := d.OpenQueue(t.Context(), url, 1)
				if err != nil {
					t.Fatal(err)
				}
				defer q.Close()
				want = append([]string{syncs}, tc.want...)
				if with == "without a consumer" {
					want = append(want, "created what was missing")
				}
				check("queue "+with, want...)
			}
		})
	}
}

// TestConsumerWarnings: the driver warns of consumers that forget what is handled.
func TestConsumerWarnings(t *testing.T) {
	b := newBench(t)
	url := b.topic()
	stream := streamOf(url)
	if _, err := b.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream, Subjects: []string{stream}}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		consumer jetstream.ConsumerConfig
		want     string
	}{
		{jetstream.ConsumerConfig{Durable: "memory", MemoryStorage: true}, "consumer keeps its state in memory"},
		{jetstream.ConsumerConfig{Durable: "brief", InactiveThreshold: time.Hour}, "inactive_threshold=1h0m0s"},
		{jetstream.ConsumerConfig{Durable: "safe"}, ""},
	} {
		tc.consumer.AckPolicy, tc.consumer.AckWait = jetstream.AckExplicitPolicy, time.Minute
		if _, err := b.js.CreateConsumer(t.Context(), stream, tc.consumer); err != nil {
			t.Fatal(err)
		}
		var log recorder
		q, err := ours.Driver{Log: log.logger()}.OpenQueue(t.Context(), b.url(stream, "consumer="+tc.consumer.Durable), 1)
		if err != nil {
			t.Fatal(err)
		}
		q.Close()
		if got := log.String(); !strings.Contains(got, tc.want) || strings.Contains(got, "level=WARN") == (tc.want == "") {
			t.Errorf("%s: want %q, got:\n%s", tc.consumer.Durable, tc.want, got)
		}
	}
}

// TestCreatedWarning: what is created because it was missing is in the log, and nothing is created without
// create=true.
func TestCreatedWarning(t *testing.T) {
	b := newBench(t)
	var log recorder
	d := ours.Driver{Log: log.logger()}
	url := b.topic()
	if _, err := d.OpenQueue(t.Context(), queue.WithoutCreate(url), 1); err == nil || !strings.Contains(err.Error(), "there is no stream") {
		t.Errorf("without create: %v", err)
	}
	if _, err := b.js.Stream(t.Context(), streamOf(url)); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("the stream was created: %v", err)
	}
	for n, want := range []int{2, 0} { // the stream and its consumer
		log.Reset()
		q, err := d.OpenQueue(t.Context(), url, 1)
		if err != nil {
			t.Fatal(err)
		}
		q.Close()
		if got := strings.Count(log.String(), "created what was missing"); got != want {
			t.Errorf("opened %d times: %d lines, want %d:\n%s", n+1, got, want, log.String())
		}
	}
}
