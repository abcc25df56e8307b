package main

import (
	"crypto/rand"
	"strings"
	"testing"

	"gocloud.dev/pubsub"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/program"
)

// TestOnMissing: an event of an object that does not exist is acknowledged and visible, or a dead letter
// with its reason. The deletion of a missing object is neither.
func TestOnMissing(t *testing.T) {
	dir := t.TempDir()
	queue, deadLetter := "mem://events-"+rand.Text(), "mem://failed-"+rand.Text()
	events := openTopic(t, queue)
	openTopic(t, deadLetter)
	letters, err := pubsub.OpenSubscription(t.Context(), deadLetter)
	if err != nil {
		t.Fatal(err)
	}
	defer letters.Shutdown(t.Context())
	flags := []string{"--queue", queue, "--dead-letter", deadLetter, "--bucket", "inbox=file://" + dir, "--listen", "127.0.0.1:0"}

	s := serve(t, nil, flags...)
	send(t, events, objectEvent("Object Created", "inbox", "gone/a b", "01"))
	s.until("level=INFO", "message superseded", `key="gone/a b"`, "reason=missing")
	send(t, events, objectEvent("Object Deleted", "inbox", "gone/c", "02"))
	s.until("message", "key=gone/c")
	_, metrics := program.Get(t, "http://"+s.address+"/metrics")
	for _, want := range []string{`bucketsum_superseded_total{reason="missing"} 1`, `bucketsum_dead_letters_total{reason="missing"} 0`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	s.stop()

	s = serve(t, map[string]string{"BUCKETSUM_ON_MISSING": "dead-letter"}, flags...)
	send(t, events, objectEvent("Object Created", "inbox", "gone/a b", "01"))
	letter, err := letters.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	letter.Ack()
	if reason := letter.Metadata[pipeline.MetadataReason]; !strings.HasPrefix(reason, "inbox/gone/a b: no such object") || !strings.Contains(reason, "--on-missing dead-letter") {
		t.Errorf("the reason is %q", reason)
	}
	s.until("message dead-lettered", `key="gone/a b"`)
	send(t, events, objectEvent("Object Deleted", "inbox", "gone/c", "02"))
	s.until("message", "key=gone/c")
	_, metrics = program.Get(t, "http://"+s.address+"/metrics")
	for _, want := range []string{`bucketsum_superseded_total{reason="missing"} 0`, `bucketsum_dead_letters_total{reason="missing"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}
