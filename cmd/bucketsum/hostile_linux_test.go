package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/hostile"
)

var (
	hostileMessages = flag.Uint64("hostile.messages", 0, "number of mutated messages in each of TestHostile; 0: enough for a few seconds")
	hostileSeed     = flag.Uint64("hostile.seed", 1, "seed of TestHostile")
	hostileOnly     = flag.Int64("hostile.only", -1, "TestHostile sends only the message of this number")
)

const (
	hostileConcurrency = 64
	// goodEvery is how often an honest event comes between the others.
	goodEvery = 20
	// hostileHeap bounds the objects on the heap of the whole test: a worker of 64 slots, the
	// queue in memory, and the messages in flight; some have 3 MiB.
	hostileHeap = 256 << 20
	// hostileGrowth bounds how much the heap may grow between the first and the last quarter,
	// with nothing in work: the worker remembers 16,384 events.
	hostileGrowth = 8 << 20
)

// TestHostile sends mutated events to a worker, with honest ones between them. Every message
// must end, with a recorded outcome or as a dead letter with a reason; nothing outside the
// bucket may be read or written; nothing may panic; memory and goroutines stay flat. The log
// of a failure has the numbers of the messages, which -hostile.only replays.
func TestHostile(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		dir := t.TempDir()
		f := &siege{t: t, dir: filepath.Join(dir, "photos"), url: "file://" + filepath.Join(dir, "photos"), messages: 1500}
		f.put = func(key string, content []byte) { write(t, f.dir, key, content) }
		f.prepare(filepath.Join(dir, "canary"))
		for link, target := range map[string]string{"link": "../canary", "link2": "../canary/secret", "link3": filepath.Join(dir, "canary", "secret"), "loop": "loop"} {
			if err := os.Symlink(target, filepath.Join(f.dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		untouched := watchAccess(t, filepath.Join(dir, "canary"))
		f.run()
		untouched()
		f.wantOnlyRecords()
	})
	t.Run("S3", func(t *testing.T) {
		server := awsenv.StartVersitygw(t)
		server.Setenv(t)
		f := &siege{t: t, dir: filepath.Join(server.Dir, "photos"), messages: 400, connected: 5 * hostileConcurrency} // two in each client, one in the proxy
		if err := os.Mkdir(f.dir, 0o777); err != nil {
			t.Fatal(err)
		}
		bucket, err := blob.OpenBucket(t.Context(), server.BucketURL("photos"))
		if err != nil {
			t.Fatal(err)
		}
		defer bucket.Close()
		f.put = func(key string, content []byte) {
			if err := bucket.WriteAll(t.Context(), key, content, nil); err != nil {
				t.Fatal(err)
			}
		}
		f.prepare(filepath.Join(server.Dir, "canary"))
		f.url = server.Before(t, f.watch).BucketURL("photos")
		untouched := watchAccess(t, filepath.Join(server.Dir, "canary"))
		f.run()
		untouched()
		f.wantOnlyRecords()
	})
}

// siege is a worker and the messages that it gets.
type siege struct {
	t        *testing.T
	dir, url string // of the bucket photos
	messages uint64
	// connected is how many goroutines may belong to idle connections.
	connected int
	keys      []string // of objects that mutated events name
	put       func(key string, content []byte)

	ended chan struct{} // has an item for each free place in flight

	mu       sync.Mutex
	sent     map[string]*sentMessage // by id
	outcomes map[string]int
	recorded map[string]bool // keys with a result
	good     []string        // keys of honest events
	requests int             // to S3
}

// sentMessage is a message in flight. One that is dead-lettered stays until its letter came and
// its delivery ended, in any order.
type sentMessage struct {
	name          string
	hash          [32]byte // of the body
	ended, letter bool
}

// settle drops the message and frees its place.
func (f *siege) settle(id string) {
	delete(f.sent, id)
	<-f.ended
}

const canarySecret = "the worker must not read this\n"

// prepare makes the bucket and, beside it, the folder that must stay untouched.
func (f *siege) prepare(canary string) {
	f.t.Helper()
	f.keys = []string{"a", "dir/b c+d%20e.txt", "ü💎", "missing"}
	write(f.t, canary, "secret", []byte(canarySecret))
	for _, key := range f.keys[:3] {
		f.put(key, []byte("content of "+key))
	}
	f.sent, f.outcomes, f.recorded = make(map[string]*sentMessage), make(map[string]int), make(map[string]bool)
	f.ended = make(chan struct{}, hostileConcurrency)
}

// watch is a proxy that reports requests to anything but the bucket.
func (f *siege) watch(w http.ResponseWriter, r *http.Request, next http.Handler) {
	f.mu.Lock()
	f.requests++
	f.mu.Unlock()
	// A server, or a proxy before it, may resolve the dots.
	for _, p := range []string{strings.SplitN(r.RequestURI, "?", 2)[0], r.URL.Path} {
		if clean := path.Clean(p); clean != "/photos" && !strings.HasPrefix(clean, "/photos/") {
			f.t.Errorf("a request leaves the bucket: %s %.300q", r.Method, r.RequestURI)
		}
	}
	if from := r.Header.Get("X-Amz-Copy-Source"); from != "" {
		f.t.Errorf("a request copies %q", from)
	}
	next.ServeHTTP(w, r)
}

// run sends the messages to a worker and waits until all have ended.
func (f *siege) run() {
	f.t.Helper()
	if *hostileMessages > 0 {
		f.messages = *hostileMessages
	}
	if testing.Short() && *hostileMessages == 0 {
		f.messages /= 4
	}
	generator, err := hostile.New(*hostileSeed, filepath.Join("..", "..", "adapters", "events", "testdata"), []string{"photos", "photos", "photos", "canary"}, f.keys)
	if err != nil {
		f.t.Fatal(err)
	}
	publish, stop := f.start()
	usage := watchUsage()
	var resting []rest
	quarter := max(f.messages/4, 1)
	for i := range f.messages {
		if *hostileOnly >= 0 && uint64(*hostileOnly) != i {
			continue
		}
		m := generator.Message(i)
		if i%goodEvery == 0 && *hostileOnly < 0 {
			m = f.honest(i)
		}
		f.send(publish, fmt.Sprint(i), m)
		if (i+1)%quarter == 0 {
			f.wait()
			resting = append(resting, takeRest())
		}
	}
	f.wait()
	peak := usage()
	stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.t.Logf("seed %d: %d messages, %d of them honest, %d requests to the store; outcomes %v; peak: %d MiB of objects on the heap, %d goroutines; at rest: %v",
		*hostileSeed, f.messages, len(f.good), f.requests, f.outcomes, peak.heap>>20, peak.goroutines, resting)
	if peak.heap > hostileHeap {
		f.t.Errorf("%d MiB of objects were on the heap, want at most %d", peak.heap>>20, hostileHeap>>20)
	}
	if n := len(resting); n > 1 {
		first, last := resting[0], resting[n-1]
		if last.heap > first.heap+hostileGrowth {
			f.t.Errorf("the heap grew from %d to %d KiB with nothing in work", first.heap>>10, last.heap>>10)
		}
		if last.goroutines > first.goroutines+10+f.connected {
			f.t.Errorf("goroutines grew from %d to %d with nothing in work", first.goroutines, last.goroutines)
		}
	}
	for _, key := range f.good {
		if !f.recorded[key] {
			f.t.Errorf("the honest event of %s has no result", key)
		}
	}
}

// start starts a worker as serve does, with shorter waits before retries. stop drains it.
func (f *siege) start() (publish func(*message.Message), stop func()) {
	f.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	at := "mem://hostile-" + rand.Text()
	c := app.Config{
		Drivers: queueDrivers(quiet), Queue: at + "-objects", DeadLetter: at + "-failed", Results: at + "-results",
		Concurrency: hostileConcurrency, MaxDeliveries: 2, Log: quiet, DrainTimeout: time.Minute,
		Retry:    pipeline.Retry{Max: 1, Initial: time.Millisecond},
		Observer: pipeline.Observer{End: f.end, Result: f.result},
	}
	c.Buckets, c.BucketDrivers, c.BucketConfig = []app.BucketURL{{Name: "photos", URL: f.url}}, bucketDrivers(s3.Options{}), blobstore.Config{CallerVerifies: true}
	queues := app.NewQueues(app.Config{Drivers: c.Drivers, Concurrency: hostileConcurrency, DrainTimeout: time.Second, Log: quiet})
	letters, results := f.subscribe(queues, c.DeadLetter), f.subscribe(queues, c.Results)
	a, err := app.New(f.t.Context(), c)
	if err != nil {
		f.t.Fatal(err)
	}
	publisher, err := queues.Publisher(f.t.Context(), c.Queue)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := a.Run(ctx); err != nil {
			f.t.Errorf("the worker ended with %v", err)
		}
	})
	running.Go(func() {
		for letter := range letters {
			f.letter(letter)
		}
	})
	running.Go(func() {
		for result := range results {
			if !json.Valid(result.Payload) || !utf8.Valid(result.Payload) {
				f.t.Errorf("a result is not JSON: %q", result.Payload)
			}
			result.Ack()
		}
	})
	publish = func(m *message.Message) {
		if err := publisher.Publish(c.Queue, m); err != nil {
			f.t.Fatal(err)
		}
	}
	return publish, func() {
		cancel()
		err := errors.Join(a.Close(), queues.Close())
		running.Wait()
		if err != nil {
			f.t.Error(err)
		}
	}
}

func (f *siege) subscribe(queues *app.Queues, url string) <-chan *message.Message {
	f.t.Helper()
	s, err := queues.Subscriber(context.Background(), url)
	if err != nil {
		f.t.Fatal(err)
	}
	messages, err := s.Subscribe(context.Background(), url)
	if err != nil {
		f.t.Fatal(err)
	}
	return messages
}

// honest makes an object and returns its event.
func (f *siege) honest(i uint64) hostile.Message {
	key := fmt.Sprintf("good/%d/%d", i/1000, i)
	f.put(key, []byte("content of "+key))
	f.mu.Lock()
	f.good = append(f.good, key)
	f.mu.Unlock()
	return hostile.Message{Body: []byte(objectEvent("Object Created", "photos", key, "01")), Name: "honest"}
}

// send sends a message as soon as fewer than 64 are in flight.
func (f *siege) send(publish func(*message.Message), id string, m hostile.Message) {
	f.t.Helper()
	select {
	case f.ended <- struct{}{}:
	case <-time.After(patience):
		f.fatalPending()
	}
	msg := message.NewMessage(id, m.Body)
	for name, value := range m.Attributes {
		msg.Metadata.Set(name, value)
	}
	f.mu.Lock()
	f.sent[id] = &sentMessage{name: m.Name, hash: sha256.Sum256(m.Body)}
	f.mu.Unlock()
	publish(msg)
}

// wait waits until no message is in flight.
func (f *siege) wait() {
	f.t.Helper()
	timeout := time.After(patience)
	for range hostileConcurrency {
		select {
		case f.ended <- struct{}{}:
		case <-timeout:
			f.fatalPending()
		}
	}
	for range hostileConcurrency {
		<-f.ended
	}
}

func (f *siege) fatalPending() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, m := range f.sent {
		f.t.Errorf("message %s did not end: %+v", id, *m)
	}
	f.t.FailNow()
}
