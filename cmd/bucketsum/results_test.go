package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/cloudevents/sdk-go/v2/event"
	"gocloud.dev/pubsub"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
)

// results receives the results that serve publishes.
type results struct {
	t            *testing.T
	subscription *pubsub.Subscription
}

func subscribeResults(t *testing.T, url string) results {
	t.Helper()
	openTopic(t, url)
	s, err := pubsub.OpenSubscription(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(context.Background()) })
	return results{t, s}
}

// next returns the next event, which must have this type.
func (r results) next(kind string) (sdk.Event, cloudevents.Data) {
	r.t.Helper()
	msg, err := r.subscription.Receive(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	msg.Ack()
	var (
		e    sdk.Event
		data cloudevents.Data
	)
	if err := json.Unmarshal(msg.Body, &e); err != nil {
		r.t.Fatalf("%v: %s", err, msg.Body)
	}
	if err := e.Validate(); err != nil {
		r.t.Error(err)
	}
	if err := e.DataAs(&data); err != nil {
		r.t.Error(err)
	}
	if e.Type() != kind || msg.Metadata["content-type"] != cloudevents.ContentType {
		r.t.Errorf("got %s with %v, want %s", msg.Body, msg.Metadata, kind)
	}
	return e, data
}

func TestServeAnnouncesResults(t *testing.T) {
	dir, id := t.TempDir(), rand.Text() // in-memory topics last as long as the process
	queue, dead, results := "mem://events-"+id, "mem://dead-"+id, "mem://results-"+id
	write(t, dir, "a", []byte("hello\n"))
	events, announced := openTopic(t, queue), subscribeResults(t, results)
	openTopic(t, dead)
	s := serve(t, nil, "--queue", queue, "--dead-letter", dead, "--results", results,
		"--bucket", "inbox=file://"+dir)

	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	err := events.Send(t.Context(), &pubsub.Message{
		Body:     []byte(objectEvent("Object Created", "inbox", "a", "01")),
		Metadata: map[string]string{"traceparent": parent, "tracestate": "a=b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	first, data := announced.next(cloudevents.TypeRecorded)
	if data.Bucket != "inbox" || data.Key != "a" || *data.Size != 6 || data.Checksums["md5"] != "b1946ac92492d2347c6235b4d2611184" || data.SourceEventID != "01" {
		t.Errorf("data %+v", data)
	}
	if first.Source() != "file://"+filepath.ToSlash(dir) || first.Extensions()["traceparent"] != parent || first.Extensions()["tracestate"] != "a=b" {
		t.Errorf("event %s", first)
	}
	s.until("message handled")

	// Another process finds the record and publishes the same result.
	s.stop()
	s = serve(t, map[string]string{"BUCKETSUM_RESULTS": results}, "--queue", queue,
		"--dead-letter", dead, "--bucket", "inbox=file://"+dir)
	err = events.Send(t.Context(), &pubsub.Message{
		Body:     []byte(objectEvent("Object Created", "inbox", "a", "01")),
		Metadata: map[string]string{"traceparent": "nonsense"},
	})
	if err != nil {
		t.Fatal(err)
	}
	again, data := announced.next(cloudevents.TypeRecorded)
	if again.ID() != first.ID() || !again.Time().Equal(first.Time()) || data.Checksums["md5"] != "b1946ac92492d2347c6235b4d2611184" || len(again.Extensions()) > 0 {
		t.Errorf("first %s\nthen %s", first, again)
	}

	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	send(t, events, objectEvent("Object Deleted", "inbox", "a", "02"))
	if e, _ := announced.next(cloudevents.TypeRemoved); e.Subject() != "a" {
		t.Errorf("event %s", e)
	}
	send(t, events, objectEvent("Object Created", "secrets", "b", "03"))
	e, data := announced.next(cloudevents.TypeFailed)
	if e.Source() != "bucket:secrets" || data.Key != "b" || !strings.Contains(data.Reason, "not configured") {
		t.Errorf("event %s", e)
	}
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
}
