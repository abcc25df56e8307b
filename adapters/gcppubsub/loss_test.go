package gcppubsub_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bucketsum/bucketsum/adapters/gcppubsub"
)

// TestLossWarnings: the driver warns of a topic without a subscription, of a subscription that deletes
// messages soon, and of what it creates.
func TestLossWarnings(t *testing.T) {
	s := newServer(t)
	var log bytes.Buffer
	d := gcppubsub.Driver{Log: slog.New(slog.NewTextHandler(&log, nil))}
	want := func(what string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(log.String(), text) {
				t.Errorf("%s: no line has %q:\n%s", what, text, log.String())
			}
		}
		if n := strings.Count(log.String(), "\n"); n != len(texts) {
			t.Errorf("%s: %d lines, want %d:\n%s", what, n, len(texts), log.String())
		}
		log.Reset()
	}
	const created, alone, policy = "created what was missing", "topic has no subscription", "no dead-letter policy"
	openTopic := func() {
		t.Helper()
		topic, err := d.OpenTopic(t.Context(), "gcppubsub://projects/p/topics/failed?create=true")
		if err != nil {
			t.Fatal(err)
		}
		if err := topic.Close(); err != nil {
			t.Error(err)
		}
	}
	openQueue := func(url string) {
		t.Helper()
		q, err := d.OpenQueue(t.Context(), url, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
	openTopic()
	want("a new topic", created, alone)
	openTopic()
	want("a topic without a subscription", alone)
	openQueue("gcppubsub://projects/p/subscriptions/failed?topic=failed&create=true")
	want("a new subscription", created, policy)
	openTopic()
	want("a topic with a subscription")
	_, err := s.GServer.CreateSubscription(context.Background(), &pubsubpb.Subscription{
		Name: "projects/p/subscriptions/brief", Topic: "projects/p/topics/failed", AckDeadlineSeconds: 60, MessageRetentionDuration: durationpb.New(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	openQueue("gcppubsub://projects/p/subscriptions/brief")
	want("a subscription that deletes soon", policy, "retention=1h0m0s")
}
