package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/jetstream"
	"github.com/bucketsum/bucketsum/adapters/jetstream/jetstreamtest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// call sends a request to the HTTP side of a worker, and returns the status and the answer.
func call(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer.String()
}

// counts are the counts of a report.
type counts struct {
	Found, Matched, Sent, Discarded, Failed, Left int
}

// ordered sends an order about dead letters and returns the counts of its report.
func ordered(t *testing.T, method, url, body string) (c counts) {
	t.Helper()
	status, answer := call(t, method, url, body)
	if err := json.Unmarshal([]byte(answer), &c); status != 200 || err != nil {
		t.Fatalf("%s %s: status %d, %v: %s", method, url, status, err, answer)
	}
	return c
}

// runWorker runs a worker until the test ends, and returns the URL of its HTTP side.
func runWorker(t *testing.T, c Config) string {
	t.Helper()
	c.Listen = "127.0.0.1:0"
	a, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, a.Close()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + a.Address()
}

// eventOf is an event as S3 sends it.
func eventOf(key string) *message.Message {
	return message.NewMessage(rand.Text(), fmt.Appendf(nil, `{"detail-type":"Object Created","source":"aws.s3","time":"2026-01-02T03:04:05Z",
		"detail":{"bucket":{"name":"inbox"},"object":{"key":%q,"sequencer":"01"}}}`, key))
}

// send publishes messages to the queue of a worker.
func send(t *testing.T, c Config, messages ...*message.Message) {
	t.Helper()
	d, err := c.Drivers.Of(c.Queue)
	if err != nil {
		t.Fatal(err)
	}
	p := queue.NewPublisher(d)
	defer p.Close()
	if err := p.Publish(c.Queue, messages...); err != nil {
		t.Fatal(err)
	}
}

// fates returns an observer of the ends of deliveries.
func fates() (pipeline.Observer, <-chan pipeline.Fate) {
	ends := make(chan pipeline.Fate, 100)
	return pipeline.Observer{
		End:    func(_ context.Context, d pipeline.Delivery) { ends <- d.Fate },
		Result: func(context.Context, pipeline.Result, error) {},
	}, ends
}

// patient is how long tests wait for what happens at once on an idle machine.
const patient = time.Minute

// await waits for the ends of n deliveries.
func await(t *testing.T, ends <-chan pipeline.Fate, want ...pipeline.Fate) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-ends:
			if got != w {
				t.Fatalf("the delivery ended with %v, want %v", got, w)
			}
		case <-time.After(patient):
			t.Fatal("no delivery ended")
		}
	}
}

// eventually repeats a check until it holds.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for late := time.Now().Add(patient); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		if check() {
			return
		}
	}
	t.Fatalf("it did not happen: %s", what)
}

// testLetters: a message that names no readable object is dead-lettered; it is looked at, sent again
// after its cause is mended, and another one is discarded.
func testLetters(t *testing.T, c Config, dir string) {
	observer, ends := fates()
	c.Observer = observer
	c.DeadLetterMissing = true
	url := runWorker(t, c)
	letters := url + "/v1/dead-letters"
	send(t, c, eventOf("late"), eventOf("never"))
	await(t, ends, pipeline.DeadLettered, pipeline.DeadLettered)
	eventually(t, "two dead letters lie there", func() bool { return ordered(t, "GET", letters, "").Found == 2 })
	if got, want := ordered(t, "GET", letters+"?match=object%3Dinbox/late", ""), (counts{Found: 2, Matched: 1, Left: 2}); got != want {
		t.Errorf("a look at one of them: %+v, want %+v", got, want)
	}
	if _, status := call(t, "GET", url+"/v1/status", ""); !strings.Contains(status, `"key":"never"`) || !strings.Contains(status, `"key":"late"`) {
		t.Errorf("the failures are not listed: %s", status)
	}

	if err := os.WriteFile(filepath.Join(dir, "late"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := ordered(t, "POST", letters+"/redrive", `{"match":["key=late"]}`), (counts{Found: 2, Matched: 1, Sent: 1, Left: 1}); got != want {
		t.Errorf("one sent: %+v, want %+v", got, want)
	}
	await(t, ends, pipeline.Acked)
	if sum, err := os.ReadFile(filepath.Join(dir, "late.md5")); err != nil || string(sum) != "b1946ac92492d2347c6235b4d2611184  late\n" {
		t.Errorf("its record is %q, %v", sum, err)
	}
	if got, want := ordered(t, "POST", letters+"/discard", `{"all":true}`), (counts{Found: 1, Matched: 1, Discarded: 1}); got != want {
		t.Errorf("the other one discarded: %+v, want %+v", got, want)
	}
	if got := ordered(t, "GET", letters, ""); got != (counts{}) {
		t.Errorf("left: %+v", got)
	}
	if _, status := call(t, "GET", url+"/v1/status", ""); !strings.Contains(status, `"failures":[]`) {
		t.Errorf("failures are still listed: %s", status)
	}
}

func TestLettersInMemory(t *testing.T) {
	dir := t.TempDir()
	c := folderWorker(t, dir)
	c.DeadLetter = "mem://failed-" + rand.Text()
	testLetters(t, c, dir)
}

func TestLettersOfJetStream(t *testing.T) {
	server := jetstreamtest.Start(t)
	dir := t.TempDir()
	c := folderWorker(t, dir)
	c.Drivers = queue.Drivers{jetstream.Driver{}}
	c.Queue, c.DeadLetter = server.URL("OBJECTS", "consumer=workers&create=true"), server.URL("FAILED", "create=true")
	t.Run("says what is missing", func(t *testing.T) {
		status, answer := call(t, "GET", runWorker(t, c)+"/v1/dead-letters", "")
		if status != 404 || !strings.Contains(answer, "--redrive-from") {
			t.Errorf("status %d: %s", status, answer)
		}
	})
	c.RedriveFrom, c.RedriveTo = server.URL("FAILED", "consumer=redrive"), server.URL("OBJECTS", "")
	q, err := jetstream.Driver{}.OpenQueue(t.Context(), c.RedriveFrom+"&create=true", 1) // as an administrator makes it
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	testLetters(t, c, dir)
}

// TestLettersOfLocal: a file that contradicts its list fails, is tried again on request, and
// is dismissed.
func TestLettersOfLocal(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"a": "hello\n", "a.md5": "00000000000000000000000000000000  a\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	url, out := startLocal(t, dir, nil)
	letters := url + "/v1/dead-letters"
	eventually(t, "a dead letter lies there", func() bool { return ordered(t, "GET", letters, "").Found == 1 })
	if got := ordered(t, "POST", letters+"/redrive", `{"all":true}`); got.Sent != 1 {
		t.Errorf("sent again: %+v", got)
	}
	eventually(t, "it is a dead letter again", func() bool {
		said, err := os.ReadFile(out)
		return err == nil && strings.Count(string(said), "MISMATCH  a: ") == 2
	})
	eventually(t, "a dead letter lies there again", func() bool { return ordered(t, "GET", letters, "").Found == 1 })
	if got, want := ordered(t, "POST", letters+"/discard", `{"match":["bucket=`+filepath.Base(dir)+`"]}`), (counts{Found: 1, Matched: 1, Discarded: 1}); got != want {
		t.Errorf("dismissed: %+v, want %+v", got, want)
	}
	if _, status := call(t, "GET", url+"/v1/status", ""); !strings.Contains(status, `"failures":[]`) {
		t.Errorf("failures are still listed: %s", status)
	}
}
