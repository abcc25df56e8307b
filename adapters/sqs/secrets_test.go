package sqs_test

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bucketsum/bucketsum/adapters/sqs"
)

// TestNoSecretsOfURLs looks for what stands in URLs in errors, and in all that
// is logged.
func TestNoSecretsOfURLs(t *testing.T) {
	for name, c := range map[string]struct{ url, want string }{
		"no URL":    {"sqs://host/1/q%zz?x=hunter2", "not a URL"},
		"userinfo":  {"sqs://user:hunter2@sqs.us-east-1.amazonaws.com/123456789012/q", "no user name or password"},
		"user only": {"awssqs://hunter2@sqs.us-east-1.amazonaws.com/123456789012/q", "no user name or password"},
	} {
		t.Run(name, func(t *testing.T) {
			queues := newBench(t).queues(sqs.Config{})
			defer queues.Close()
			err := queues.Open(t.Context(), c.url)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error is %v", err)
			}
		})
	}
	both(t, func(b *bench, ours string) {
		queues, err := sqs.New(sqs.Config{
			LoadConfig: func(context.Context, url.Values) (aws.Config, error) { return configOf(b.server), nil },
			Log:        slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug - 4})),
		})
		if err != nil {
			b.t.Fatal(err)
		}
		ours += "?profile=hunter2"
		s := sqs.NewSubscriber(queues)
		if _, err := s.Subscribe(b.t.Context(), ours); err != nil {
			b.t.Fatal(err)
		}
		if err := sqs.NewPublisher(queues).Publish(ours, message.NewMessage("id", []byte("a"))); err != nil {
			b.t.Error(err)
		}
		s.Close()
		queues.Close()
		if log := b.log.String(); log == "" || strings.Contains(log, "hunter2") {
			b.t.Errorf("log is:\n%s", log)
		}
	})
}
