package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// deadLetter is a message with the reason of a worker.
type deadLetter struct{ body, reason string }

// fourKinds are dead letters of four kinds: a permission, a bucket, an interruption, garbage.
func fourKinds() []deadLetter {
	return []deadLetter{
		{created("photos", "2024/a+b.jpg"), "after 10 deliveries: look at photos/2024/a+b.jpg: AccessDenied: request 4442587FB7D0A2F9"},
		{created("photos", "2025/ünïcödé ☃.jpg"), "after 10 deliveries: look at photos/2025/ünïcödé ☃.jpg: AccessDenied: request 0AF2587FB7D0A2F9"},
		{created("photos", "tmp/x"), "after 9 deliveries: look at photos/tmp/x: AccessDenied: request 11F2587FB7D0A2F9"},
		{created("secrets", "2024/a"), `bucket "secrets" is not configured`},
		{created("photos", "huge.tar"), "interrupted 10 times"},
		{"garbage \x00\xff☃\n", "event: not JSON"},
		{`{"detail":`, ""},
	}
}

// sendTo sends messages to the topic of a URL.
func sendTo(t *testing.T, url string, letters ...deadLetter) {
	t.Helper()
	d, err := queueDrivers(nil).Of(url)
	if err != nil {
		t.Fatal(err)
	}
	topic, err := d.OpenTopic(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer topic.Close()
	for _, l := range letters {
		m := message.NewMessage("", []byte(l.body))
		m.Metadata = message.Metadata{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", pipeline.MetadataSlice: "2"}
		if l.reason != "" {
			m.Metadata[pipeline.MetadataReason], m.Metadata[pipeline.MetadataAttempt] = l.reason, "10"
		}
		if err := topic.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// takeFrom receives and deletes messages until each body has come, and returns their metadata.
func takeFrom(t *testing.T, url string, bodies ...string) map[string]message.Metadata {
	t.Helper()
	d, err := queueDrivers(nil).Of(url)
	if err != nil {
		t.Fatal(err)
	}
	q, err := d.OpenQueue(t.Context(), url, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got := make(map[string]message.Metadata)
	for missing := bodies; len(missing) > 0; {
		ds, err := q.Receive(ctx, 10)
		if err != nil {
			t.Fatalf("%v; got %d, missing %d: %.2000q", err, len(got), len(missing), missing)
		}
		for _, d := range ds {
			body := string(d.Message.Payload)
			got[body] = d.Message.Metadata
			missing = slices.DeleteFunc(slices.Clone(missing), func(b string) bool { return b == body })
			if err := d.Lease.Ack(ctx); err != nil {
				t.Error(err)
			}
		}
	}
	return got
}

// redriveReport is what redrive --format json prints.
type redriveReport struct {
	Found, Matched, Sent, Discarded, Failed, Left int
	End                                           string
	Groups                                        []struct {
		Reason string
		Found  int
		Oldest time.Time
	}
}

// redriveWait is longer than a message is locked that Service Bus delivers while a receiver closes.
const redriveWait = "7s"

// redriven runs redrive and returns its report.
func redriven(t *testing.T, want int, args ...string) redriveReport {
	t.Helper()
	var out, errs bytes.Buffer
	p := process{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
	status := dispatch(t.Context(), p, append([]string{"redrive", "--quiet", "--format", "json", "--wait", redriveWait}, args...))
	if status != want {
		t.Fatalf("redrive %q: exit status %d, want %d: %s", args, status, want, errs.String())
	}
	var r redriveReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return r
}

// testRedrive runs on each kind of queue: what lies there is shown, exactly what matches is moved, byte for byte and
// without what the pipeline added, and then the rest.
func testRedrive(t *testing.T, urls queueURLs) {
	openQueue(t, urls.queue) // as an administrator makes them
	openQueue(t, urls.letters)
	letters := fourKinds()
	sendTo(t, urls.deadLetters, letters...)
	from, to := urls.letters, urls.queue

	r := redriven(t, exitOK, "--dry-run", "--from", from)
	kinds := make(map[string]int)
	for _, g := range r.Groups {
		kinds[g.Reason] = g.Found
	}
	want := map[string]int{
		"after N deliveries: look at photos/…: AccessDenied: request …": 3,
		"bucket … is not configured":                                    1,
		"interrupted N times":                                           1,
		"event: not JSON":                                               1,
		"(no reason: the queue gave it up by itself, or another program sent it)": 1,
	}
	if diff := cmp.Diff(want, kinds); diff != "" || r.Found != len(letters) || r.Left != len(letters) {
		t.Fatalf("what lies there: %+v\n%s", r, diff)
	}

	r = redriven(t, exitOK, "--from", from, "--to", to, "--match", "reason=accessdenied", "--match", "key=2024/**", "--match", "key=*.jpg", "--match", "bucket=photos")
	if r.Sent != 2 || r.Left != len(letters)-2 {
		t.Fatalf("matching ones: %+v", r)
	}
	got := takeFrom(t, to, letters[0].body, letters[1].body)
	if len(got) != 2 {
		t.Errorf("%d messages were moved, want 2: %q", len(got), slices.Collect(maps.Keys(got)))
	}

	r = redriven(t, exitOK, "--from", from, "--to", to, "--match", "reason=interrupted N times", "--match", "reason=")
	if r.Sent != 2 || r.Left != len(letters)-4 {
		t.Fatalf("either reason: %+v", r)
	}
	r = redriven(t, exitOK, "--from", from, "--discard", "--yes", "--match", "key=tmp/**")
	if r.Discarded != 1 || r.Left != 2 {
		t.Fatalf("discarded: %+v", r)
	}
	r = redriven(t, exitOK, "--from", from, "--to", to)
	if r.Sent != 2 || r.Left != 0 {
		t.Fatalf("the rest: %+v", r)
	}
	maps.Copy(got, takeFrom(t, to, letters[3].body, letters[4].body, letters[5].body, letters[6].body))
	if len(got) != len(letters)-1 {
		t.Errorf("%d messages were moved, want %d: %q", len(got), len(letters)-1, slices.Collect(maps.Keys(got)))
	}
	for body, m := range got {
		delete(m, "MessageGroupId") // of a FIFO queue
		if diff := cmp.Diff(message.Metadata{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", pipeline.MetadataSlice: "2"}, m); diff != "" {
			t.Errorf("metadata of %q: %s", body, diff)
		}
	}
	if urls.left != nil {
		if n := urls.left(t, from); n != 0 {
			t.Errorf("%d dead letters are left", n)
		}
	}
}

// testRedriveOfGroup moves the messages of a FIFO group, of which SQS shows one after the other.
func testRedriveOfGroup(t *testing.T, urls queueURLs) {
	letters := fourKinds()
	sendTo(t, urls.deadLetters, letters...)
	if r := redriven(t, exitOK, "--dry-run", "--from", urls.letters); r.Found != 1 {
		t.Errorf("what lies there: %+v", r)
	}
	if r := redriven(t, exitOK, "--from", urls.letters, "--to", urls.queue); r.Sent != len(letters) {
		t.Errorf("all: %+v", r)
	}
	var bodies []string
	for _, l := range letters {
		bodies = append(bodies, l.body)
	}
	takeFrom(t, urls.queue, bodies...)
}

// openQueue creates a queue, if its URL says so.
func openQueue(t *testing.T, url string) {
	t.Helper()
	d, err := queueDrivers(nil).Of(url)
	var q queue.Queue
	if err == nil {
		q, err = d.OpenQueue(t.Context(), url, 1)
	}
	if err == nil {
		err = q.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
