package app

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/sns"
	"github.com/bucketsum/bucketsum/adapters/sns/snstest"
	"github.com/bucketsum/bucketsum/pipeline"
)

// TestSNSTopic runs a worker that handles only what a topic has signed. An unsigned event
// becomes a dead letter; a signed one gets its record, although the server of certificates
// fails at first.
func TestSNSTopic(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"signed", "unsigned"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("hello\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	event := func(key string) string {
		return `{"detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"inbox"},"object":{"key":"` + key + `","sequencer":"01"}}}`
	}
	server := snstest.NewServer(t)
	server.Answer(func(w http.ResponseWriter, _ *http.Request) {
		server.Answer(nil)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	c := folderWorker(t, dir)
	c.DeadLetter = "mem://dead-" + rand.Text()
	c.SNS = sns.Config{Topics: []string{snstest.Topic}, Client: server.Client, Roots: server.Roots}
	results, ends := make(chan pipeline.Result, 1), make(chan pipeline.Delivery, 3)
	c.Observer.Result = func(_ context.Context, r pipeline.Result, _ error) { results <- r }
	c.Observer.End = func(_ context.Context, d pipeline.Delivery) { ends <- d }
	a, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	publisher, err := a.queues.Publisher(t.Context(), c.Queue)
	if err != nil {
		t.Fatal(err)
	}
	signed := server.Signer(t, nil).Sign(t, "2", snstest.Notification(event("signed")))
	for _, body := range [][]byte{[]byte(event("unsigned")), snstest.Body(t, signed)} {
		if err := publisher.Publish(c.Queue, message.NewMessage(rand.Text(), body)); err != nil {
			t.Fatal(err)
		}
	}
	fates := make(map[pipeline.Fate]error)
	for range 3 {
		d := <-ends
		fates[d.Fate] = d.Err
	}
	if r := <-results; r.Record.Source.Key != "signed" || r.Outcome != pipeline.Recorded {
		t.Errorf("got %s of %q", r.Outcome, r.Record.Source.Key)
	}
	for fate, want := range map[pipeline.Fate]string{
		pipeline.DeadLettered: "the message has no envelope of SNS", pipeline.Nacked: "503 Service Unavailable", pipeline.Acked: "",
	} {
		err, has := fates[fate]
		if !has || want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", fate, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "unsigned.md5")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unsigned event got its record: %v", err)
	}
	stop()
	if err := errors.Join(<-ended, a.Close()); err != nil {
		t.Error(err)
	}
}
