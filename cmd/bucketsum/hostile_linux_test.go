package main

import (
	"context"
	"crypto/md5"
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
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"gocloud.dev/blob"
	"golang.org/x/sys/unix"

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
	// queue in memory, and the messages in flight, of which some have 3 MiB.
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
		for _, v := range server.Environ() {
			name, value, _ := strings.Cut(v, "=")
			t.Setenv(name, value)
		}
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

const canarySecret = "nobody may read this\n"

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
	var err error
	c.Stores, err = app.OpenBuckets(f.t.Context(), bucketDrivers(s3.Options{}), []app.BucketURL{{Name: "photos", URL: f.url}}, blobstore.Config{CallerVerifies: true})
	if err != nil {
		f.t.Fatal(err)
	}
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
		err := errors.Join(a.Close(), queues.Close(), app.CloseStores(c.Stores))
		running.Wait()
		if err != nil {
			f.t.Error(err)
		}
	}
}

func (f *siege) subscribe(queues *app.Queues, url string) <-chan *message.Message {
	f.t.Helper()
	s, err := queues.Subscriber(url)
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

// end observes the end of a delivery.
func (f *siege) end(_ context.Context, d pipeline.Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.sent[d.MessageID]
	if !ok || m.ended {
		f.t.Errorf("message %s was delivered again after its end", d.MessageID)
		return
	}
	complain := func(what string) { f.t.Errorf("message %s (%s): %s", d.MessageID, m.name, what) }
	if p, ok := errors.AsType[*pipeline.PanicError](d.Err); ok {
		complain(fmt.Sprintf("panic: %v\n%s", p.Value, p.Stack))
	}
	switch {
	case d.Fate == pipeline.Nacked:
		f.outcomes["given back"]++
		return
	case d.Fate == pipeline.DeadLettered:
		f.outcomes["dead letter: "+string(d.GivenUp())]++
	case d.Fate != pipeline.Acked:
		complain(fmt.Sprintf("its fate is %s", d.Fate))
	case len(d.Events) == 0:
		complain("acknowledged without an event")
	case d.Err != nil:
		f.outcomes["superseded"]++
	case !slices.ContainsFunc(d.Events, func(h pipeline.Handled) bool { return h.Event.Kind != pipeline.Ignored }):
		f.outcomes["ignored"]++
	default:
		f.outcomes["done"]++
	}
	if *hostileOnly >= 0 {
		f.t.Logf("message %s (%s): %s, %q", d.MessageID, m.name, d.Fate, fmt.Sprint(d.Err))
	}
	if m.ended = true; m.letter || d.Fate != pipeline.DeadLettered {
		f.settle(d.MessageID)
	}
}

// result observes the result of an event.
func (f *siege) result(_ context.Context, r pipeline.Result, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recorded[r.Record.Source.Key] = r.Outcome == pipeline.Recorded || r.Outcome == pipeline.Current
	if r.Record.Digests["md5"] == fmt.Sprintf("%x", md5.Sum([]byte(canarySecret))) {
		f.t.Errorf("an object outside the bucket was read as %q", r.Record.Source.Key)
	}
}

func (f *siege) letter(letter *message.Message) {
	defer letter.Ack()
	f.mu.Lock()
	defer f.mu.Unlock()
	if reason := letter.Metadata.Get(pipeline.MetadataReason); reason == "" || len(reason) > 1000 {
		f.t.Errorf("dead letter %s has the reason %q", letter.UUID, reason)
	}
	m, ok := f.sent[letter.UUID]
	if !ok || m.letter || m.hash != sha256.Sum256(letter.Payload) {
		f.t.Errorf("dead letter %s has another body than its message, or came twice", letter.UUID)
		return
	}
	if m.letter = true; m.ended {
		f.settle(letter.UUID)
	}
}

// wantOnlyRecords expects nothing but objects and right records in the bucket.
func (f *siege) wantOnlyRecords() {
	f.t.Helper()
	for _, name := range filesIn(f.t, f.dir) {
		key, isRecord := strings.CutSuffix(name, ".md5")
		content, err := os.ReadFile(filepath.Join(f.dir, name))
		switch {
		case strings.HasPrefix(name, "link"), name == "loop", strings.HasPrefix(name, ".bucketsum/"):
		case err != nil:
			f.t.Error(err)
		case isRecord:
			if want := fmt.Sprintf("%x  %s\n", md5.Sum([]byte("content of "+key)), path.Base(key)); string(content) != want {
				f.t.Errorf("the record of %q is %q, want %q", key, content, want)
			}
		case string(content) != "content of "+name:
			f.t.Errorf("the object %q is %.100q", name, content)
		}
	}
	for _, key := range f.good {
		if _, err := os.Stat(filepath.Join(f.dir, key+".md5")); err != nil {
			f.t.Error(err)
		}
	}
}

// usage is the most that was used.
type usage struct {
	heap       uint64 // bytes of objects
	goroutines int
}

// watchUsage begins to watch what the process uses. The returned function ends that.
func watchUsage() func() usage {
	var most usage
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			most.heap, most.goroutines = max(most.heap, sample[0].Value.Uint64()), max(most.goroutines, runtime.NumGoroutine())
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() usage {
		close(stop)
		<-stopped
		return most
	}
}

// rest is what the process holds while nothing is in work.
type rest struct {
	heap       uint64
	goroutines int
}

func (r rest) String() string { return fmt.Sprintf("%d KiB, %d goroutines", r.heap>>10, r.goroutines) }

func takeRest() rest {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return rest{m.HeapAlloc, runtime.NumGoroutine()}
}

// watchAccess begins to watch a folder and its files. The returned function expects that
// nothing opened, read, changed or listed them.
func watchAccess(t *testing.T, dir string) func() {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_ALL_EVENTS); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		buf := make([]byte, 4096)
		if n, err := unix.Read(fd, buf); !errors.Is(err, unix.EAGAIN) {
			t.Errorf("%s was touched: %d bytes of events, %v, %q", dir, n, err, buf[:max(n, 0)])
		}
	}
}
