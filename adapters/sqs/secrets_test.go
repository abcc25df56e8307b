package sqs_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// TestNoSecretsOfURLs looks for the secrets of URLs in errors and in the whole log.
func TestNoSecretsOfURLs(t *testing.T) {
	for name, c := range map[string]struct{ url, want string }{
		"no URL":    {"sqs://host/1/q%zz?x=hunter2", "not a URL"},
		"userinfo":  {"sqs://user:hunter2@sqs.us-east-1.amazonaws.com/123456789012/q", "no user name or password"},
		"user only": {"awssqs://hunter2@sqs.us-east-1.amazonaws.com/123456789012/q", "no user name or password"},
	} {
		t.Run(name, func(t *testing.T) {
			err := newBench(t).driver().Reachable(t.Context(), c.url)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error is %v", err)
			}
		})
	}
	both(t, func(b *bench, ours string) {
		log := slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))
		d := b.driver()
		d.Log = log
		ours += "?profile=hunter2"
		s, err := queue.NewSubscriber(d, queue.Config{Log: log})
		if err != nil {
			b.t.Fatal(err)
		}
		if _, err := s.Subscribe(b.t.Context(), ours); err != nil {
			b.t.Fatal(err)
		}
		if err := queue.NewPublisher(d).Publish(ours, message.NewMessage("id", []byte("a"))); err != nil {
			b.t.Error(err)
		}
		b.server.Inject(sqstest.Fault{Action: "ReceiveMessage", Times: 9}) // so that there is an error to log
		time.Sleep(time.Minute)
		s.Close()
		if log := b.log.String(); log == "" || strings.Contains(log, "hunter2") {
			b.t.Errorf("log is:\n%s", log)
		}
	})
}
