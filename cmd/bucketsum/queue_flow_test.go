package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	sdk "github.com/cloudevents/sdk-go/v2/event"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
)

// patience is how long a test waits. It is long, because servers start meanwhile on a
// busy machine.
const patience = 3 * time.Minute

// queueFlow has one or more workers between queues of one technology, a sender of events
// and the readers of dead letters and results.
type queueFlow struct {
	t           *testing.T
	urls        queueURLs
	bucket, url string
	dir         string // the bucket, unless url says otherwise
	queues      *app.Queues
	publisher   message.Publisher
	schema      *jsonschema.Schema

	letters, announced <-chan *message.Message
	wantLetters        map[string]string // the reasons by bodies
	wantResults        map[outcome]bool
	heardOf            map[any]bool       // bodies and outcomes that came
	stray              func(outcome) bool // reports results that may come, too; nil: none

	workers []*serving
	reading sync.WaitGroup // of the logs of workers
	mu      sync.Mutex
	log     []string
	ended   bool // whether one of the workers has ended
}

// outcome is the content of a result.
type outcome struct{ kind, bucket, key, md5 string }

func newFlow(t *testing.T, urls queueURLs) *queueFlow {
	t.Helper()
	f := &queueFlow{
		t: t, urls: urls, bucket: "photos", dir: t.TempDir(), schema: resultSchema(t),
		wantLetters: make(map[string]string), wantResults: make(map[outcome]bool), heardOf: make(map[any]bool),
	}
	f.url = "file://" + f.dir
	var err error
	quiet := slog.New(slog.DiscardHandler)
	f.queues = app.NewQueues(app.Config{Drivers: queueDrivers(quiet), Concurrency: 8, DrainTimeout: time.Second, Log: quiet})
	t.Cleanup(func() {
		if err := f.queues.Close(); err != nil {
			t.Error(err)
		}
		f.reading.Wait()
		if t.Failed() {
			t.Logf("the log of the workers:\n%s", strings.Join(f.log, "\n"))
		}
	})
	// The first use of a missing queue creates it. An administrator would do it before.
	reader, err := f.queues.Subscriber(context.Background(), urls.queue)
	if err == nil {
		err = reader.Close()
	}
	if err == nil {
		f.publisher, err = f.queues.Publisher(t.Context(), urls.queue)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.letters, f.announced = f.subscribe(urls.letters), f.subscribe(urls.announced)
	return f
}

func (f *queueFlow) subscribe(url string) <-chan *message.Message {
	f.t.Helper()
	s, err := f.queues.Subscriber(context.Background(), url)
	if err != nil {
		f.t.Fatal(err)
	}
	messages, err := s.Subscribe(context.Background(), url)
	if err != nil {
		f.t.Fatal(err)
	}
	return messages
}

// flags returns the flags of a worker.
func (f *queueFlow) flags() []string {
	return []string{"--queue", f.urls.queue, "--dead-letter", f.urls.deadLetters, "--results", f.urls.results,
		"--bucket", f.bucket + "=" + f.url, "--concurrency", "3"}
}

// start starts a worker.
func (f *queueFlow) start(flags ...string) {
	f.t.Helper()
	w := serve(f.t, nil, append(f.flags(), flags...)...)
	f.workers = append(f.workers, w)
	f.reading.Go(func() {
		for line := range w.lines {
			f.mu.Lock()
			f.log = append(f.log, line)
			f.mu.Unlock()
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ended = true
	})
}

// logged returns the number of lines in the logs that have all parts.
func (f *queueFlow) logged(parts ...string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
next:
	for _, line := range f.log {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue next
			}
		}
		n++
	}
	return n
}

func (f *queueFlow) hasEnded() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// object puts an object into the bucket and returns its event. From then on the flow
// expects its record and its result.
func (f *queueFlow) object(key string) string {
	f.t.Helper()
	content := contentOf(key)
	write(f.t, f.dir, key, content)
	f.wantResults[outcome{cloudevents.TypeRecorded, f.bucket, key, sumOf(content)}] = true
	return created(f.bucket, key)
}

// created returns an event as EventBridge sends it, for any key.
func created(bucket, key string) string {
	encoded, _ := json.Marshal(key) // a string cannot fail
	return strings.Replace(objectEvent("Object Created", bucket, "KEY", "01"), `"KEY"`, string(encoded), 1)
}

// send publishes a message.
func (f *queueFlow) send(body string) error {
	return f.publisher.Publish(f.urls.queue, message.NewMessage(watermill.NewUUID(), []byte(body)))
}

func (f *queueFlow) mustSend(bodies ...string) {
	f.t.Helper()
	for _, body := range bodies {
		if err := f.send(body); err != nil {
			f.t.Fatal(err)
		}
	}
}

// until receives dead letters and results until done returns true. No worker may end.
func (f *queueFlow) until(what string, done func() bool) {
	f.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	again := time.NewTicker(10 * time.Millisecond) // done may depend on more than messages
	defer again.Stop()
	for !done() {
		select {
		case m := <-f.letters:
			f.letter(m)
		case m := <-f.announced:
			f.result(m)
		case <-again.C:
			if f.hasEnded() {
				f.t.Fatalf("a worker ended while %s", what)
			}
		case <-timeout.C:
			f.t.Fatalf("still %s; what did not come: %v", what, f.missing())
		}
	}
}

// letter checks a dead letter. It may come several times.
func (f *queueFlow) letter(m *message.Message) {
	f.t.Helper()
	defer m.Ack()
	body := string(m.Payload)
	reason, ok := f.wantLetters[body]
	if !ok {
		f.t.Errorf("a dead letter of what could be handled: %q with %v", body, m.Metadata)
	}
	if got := m.Metadata.Get("reason_poisoned"); !strings.Contains(got, reason) {
		f.t.Errorf("the dead letter %q has the reason %q, want %q", body, got, reason)
	}
	f.heardOf[body] = true
}

// result checks a result. It may come several times.
func (f *queueFlow) result(m *message.Message) {
	f.t.Helper()
	defer m.Ack()
	var (
		e    sdk.Event
		data cloudevents.Data
	)
	if err := json.Unmarshal(m.Payload, &e); err != nil {
		f.t.Errorf("%v: %s", err, m.Payload)
		return
	}
	if err := e.Validate(); err != nil {
		f.t.Errorf("%v: %s", err, m.Payload)
	}
	if err := e.DataAs(&data); err != nil {
		f.t.Errorf("%v: %s", err, m.Payload)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.Data()))
	if err == nil {
		err = f.schema.Validate(instance)
	}
	if err != nil {
		f.t.Errorf("%v: %s", err, m.Payload)
	}
	got := outcome{e.Type(), data.Bucket, data.Key, data.Checksums["md5"]}
	if !f.wantResults[got] && (f.stray == nil || !f.stray(got)) {
		f.t.Errorf("a result that nothing asked for: %s", m.Payload)
	}
	f.heardOf[got] = true
}

// missing returns the expected results and bodies of dead letters that have not come.
func (f *queueFlow) missing() (missing []any) {
	for o := range f.wantResults {
		if !f.heardOf[o] {
			missing = append(missing, o)
		}
	}
	for body := range f.wantLetters {
		if !f.heardOf[body] {
			missing = append(missing, body)
		}
	}
	return missing
}

// heard waits for every expected result and dead letter.
func (f *queueFlow) heard() {
	f.t.Helper()
	f.until("waiting for results and dead letters", func() bool { return len(f.missing()) == 0 })
}

// finish waits for everything that is expected, stops the workers, and checks the files
// in the folder and the messages left in the queues.
func (f *queueFlow) finish() {
	f.t.Helper()
	f.heard()
	if f.urls.left != nil {
		f.until("emptying the queues", func() bool { return f.urls.left(f.t, f.urls.queue)+f.urls.left(f.t, f.urls.letters) == 0 })
	}
	f.stop()
	want := make(map[string]bool)
	for o := range f.wantResults {
		if o.kind == cloudevents.TypeRecorded {
			want[o.key], want[o.key+".md5"] = true, true
			f.record(o)
		}
	}
	for _, name := range filesIn(f.t, f.dir) {
		if !want[name] {
			f.t.Errorf("%q is in the bucket", name)
		}
	}
	if f.urls.left == nil {
		return
	}
	if n := f.urls.left(f.t, f.urls.queue); n != 0 {
		f.t.Errorf("%d messages are in the queue again", n)
	}
}

// stop stops the workers.
func (f *queueFlow) stop() {
	f.t.Helper()
	for _, w := range f.workers {
		if status := w.stop(); status != exitOK {
			f.t.Errorf("exit status is %d", status)
		}
	}
	f.reading.Wait()
	f.workers, f.ended = nil, false
}

func (f *queueFlow) record(o outcome) {
	f.t.Helper()
	got, err := os.ReadFile(filepath.Join(f.dir, filepath.FromSlash(o.key+".md5")))
	if err != nil || !strings.HasPrefix(strings.TrimPrefix(string(got), `\`), o.md5+"  ") {
		f.t.Errorf("the record of %q is %q, %v; want %s", o.key, got, err, o.md5)
	}
}

// resultSchema returns the schema of results.
func resultSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(cloudevents.Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// handled returns the number of messages that the workers have settled, by their logs.
func (f *queueFlow) handled() int {
	return f.logged(`msg="message handled"`) + f.logged(`msg="message superseded"`) + f.logged(`msg="message dead-lettered"`)
}
