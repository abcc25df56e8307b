package telemetry_test

import (
	"bufio"
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"
	"gocloud.dev/blob/memblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
	"github.com/bucketsum/bucketsum/adapters/cloudpubsub/cloudpubsubtest"
	"github.com/bucketsum/bucketsum/adapters/telemetry"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, cloudpubsubtest.GocloudLeak) }

// bench is a pipeline in memory with telemetry.
type bench struct {
	t         testing.TB
	telemetry *telemetry.Telemetry
	spans     *tracetest.InMemoryExporter // nil: nothing is traced
	store     pipeline.Bucket
	bucket    pipeline.Bucket // store, observed by the telemetry
	dead      *sent
	rest      *sent
	config    pipeline.Config
	queue     *queue.Publisher
	settled   chan pipeline.Delivery
	results   func(context.Context, pipeline.Result) error
}

// sent is a publisher that keeps the messages.
type sent struct {
	mu       sync.Mutex
	messages []*message.Message
}

func (s *sent) Publish(_ string, messages ...*message.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, messages...)
	return nil
}

func (s *sent) Close() error { return nil }

// newBench makes a pipeline whose bucket has the objects a, b and c.
func newBench(t testing.TB, traced bool) *bench {
	t.Helper()
	b := &bench{t: t, dead: &sent{}, rest: &sent{}, settled: make(chan pipeline.Delivery, 1)}
	b.results = func(context.Context, pipeline.Result) error { return nil }
	c := telemetry.Config{Version: "v1.2.3"}
	if traced {
		b.spans = tracetest.NewInMemoryExporter()
		c.Spans = b.spans
	}
	var err error
	if b.telemetry, err = telemetry.New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.telemetry.Close)
	objects := memblob.OpenBucket(nil)
	for _, key := range []string{"a", "b", "c"} {
		if err := objects.WriteAll(t.Context(), key, []byte("hello\n"), nil); err != nil {
			t.Fatal(err)
		}
	}
	store := blobstore.New(memory.New(objects), "inbox", blobstore.Config{})
	t.Cleanup(func() { store.Close() })
	b.store = store.Bucket()
	b.bucket = b.telemetry.Observer().Bucket(b.store)
	b.config = pipeline.Config{
		Topic:         "mem://" + t.Name(),
		Decode:        decode,
		DeadLetters:   pipeline.DeadLetters{Publisher: b.dead, Topic: "dead"},
		Continuations: pipeline.Continuations{Publisher: b.rest, Topic: "queue"},
		Retry:         pipeline.Retry{Max: 2, Initial: time.Nanosecond, Longest: time.Nanosecond},
		MaxDeliveries: 2,
	}
	return b
}

var happened = time.Now().Add(-time.Hour)

// decode reads lines of BUCKET/KEY, each an event that is an hour old. "BUCKET/" is the shard of a pass, "!" an error.
func decode(body []byte, _ map[string]string) ([]pipeline.Event, error) {
	var events []pipeline.Event
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "!" {
			return nil, pipeline.Permanent(errors.New("not an event"))
		}
		bucket, key, _ := strings.Cut(line, "/")
		if key == "" { // the shard of a pass
			events = append(events, pipeline.Event{Kind: pipeline.Sweep, ID: line, Time: happened,
				Object: pipeline.Object{Bucket: bucket}, Shard: &pipeline.Shard{Pass: "p", Bucket: bucket}})
			continue
		}
		events = append(events, pipeline.Event{Kind: pipeline.Created, ID: line, Time: happened,
			Object: pipeline.Object{Bucket: bucket, Key: key, Size: pipeline.UnknownSize}})
	}
	return events, nil
}

// run starts the pipeline with the handler, or with that of package handlers if it is nil.
func (b *bench) run(handle pipeline.Handler) {
	b.t.Helper()
	if handle == nil {
		var err error
		handle, err = handlers.New(handlers.Config{
			Buckets: map[string]pipeline.Bucket{"inbox": b.store}, Algorithms: []string{"md5"},
			Publish:  func(ctx context.Context, r pipeline.Result) error { return b.results(ctx, r) },
			Observer: b.telemetry.Observer(),
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
	subscriber, err := queue.NewSubscriber(cloudpubsub.Driver{}, queue.Config{
		Concurrency: 1, NackDelay: func(int) time.Duration { return 0 }, Observer: b.telemetry.Observer(),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := subscriber.SubscribeInitialize(b.config.Topic); err != nil {
		b.t.Fatal(err)
	}
	b.queue = queue.NewPublisher(cloudpubsub.Driver{})
	b.config.Subscriber, b.config.Handle = subscriber, handle
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	b.config.Observer = pipeline.Observers(b.telemetry.Observer(),
		pipeline.Observer{End: func(_ context.Context, d pipeline.Delivery) { b.settled <- d }})
	go func() { ended <- pipeline.Run(ctx, b.config) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
		b.queue.Close()
	})
}

// handled sends a message, waits for its next n deliveries and returns the last.
func (b *bench) handled(n int, body string, metadata map[string]string) (last pipeline.Delivery) {
	b.t.Helper()
	m := message.NewMessage("", []byte(body))
	m.Metadata = metadata
	if err := b.queue.Publish(b.config.Topic, m); err != nil {
		b.t.Fatal(err)
	}
	for range n {
		last = <-b.settled
	}
	return last
}

// metrics returns the series that Prometheus would scrape, without those of the runtime.
func (b *bench) metrics() map[string]float64 {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.telemetry.Metrics().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	all := make(map[string]float64)
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil && strings.HasPrefix(series, "bucketsum_") {
			all[series] = n
		}
	}
	if len(all) == 0 {
		b.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return all
}

func TestMetrics(t *testing.T) {
	b := newBench(t, false)
	flaky := 1
	b.results = func(context.Context, pipeline.Result) error {
		if flaky--; flaky == 0 {
			return errors.New("503")
		}
		return nil
	}
	b.run(nil)
	b.handled(1, "inbox/a\ninbox/b\ninbox/gone", nil) // publishing the first result fails once
	b.handled(1, "inbox/a", nil)                      // done before
	b.handled(1, "inbox/a.md5", nil)                  // a record
	b.handled(1, "secrets/x", nil)
	b.handled(1, "!", nil)
	b.handled(1, "inbox/", nil) // shards count as no objects; this worker refuses them
	got := b.metrics()
	for series, want := range map[string]float64{
		`bucketsum_objects_total{outcome="recorded"}`:                      1,
		`bucketsum_objects_total{outcome="current"}`:                       2, // one is the record whose result was not published at first
		`bucketsum_objects_total{outcome="superseded"}`:                    2,
		`bucketsum_superseded_total{reason="missing"}`:                     1,
		`bucketsum_superseded_total{reason="record"}`:                      1,
		`bucketsum_superseded_total{reason="archived"}`:                    0,
		`bucketsum_superseded_total{reason="filtered"}`:                    0,
		`bucketsum_objects_total{outcome="failed"}`:                        2,
		`bucketsum_objects_total{outcome="returned"}`:                      0,
		`bucketsum_bytes_total`:                                            12,
		`bucketsum_retries_total`:                                          1,
		`bucketsum_results_total{outcome="published"}`:                     3,
		`bucketsum_results_total{outcome="failed"}`:                        1,
		`bucketsum_dead_letters_total{reason="unknown_bucket"}`:            1,
		`bucketsum_dead_letters_total{reason="undecodable"}`:               1,
		`bucketsum_dead_letters_total{reason="exhausted"}`:                 0,
		`bucketsum_dead_letters_total{reason="refused"}`:                   1,
		`bucketsum_in_flight`:                                              0,
		`bucketsum_phase_duration_seconds_count{phase="open"}`:             2,
		`bucketsum_phase_duration_seconds_count{phase="hash"}`:             2,
		`bucketsum_phase_duration_seconds_count{phase="record"}`:           2,
		`bucketsum_phase_duration_seconds_count{phase="publish"}`:          4,
		`bucketsum_phase_duration_seconds_count{phase="wait"}`:             6,
		`bucketsum_phase_duration_seconds_bucket{phase="wait",le="900"}`:   0,
		`bucketsum_phase_duration_seconds_bucket{phase="wait",le="14400"}`: 6,
		`bucketsum_build_info{version="v1.2.3"}`:                           1,
	} {
		if n, there := got[series]; !there || n != want {
			t.Errorf("%s is %v (exists: %v), want %v", series, n, there, want)
		}
	}
	for series := range got {
		for _, name := range []string{"secrets", "gone", "inbox", "a.md5"} {
			if strings.Contains(series, name) {
				t.Errorf("%s names %q", series, name)
			}
		}
	}
}

// TestReturnedAndExhausted asserts that a nacked event counts as returned, and one that reached
// the limit of deliveries as failed.
func TestReturnedAndExhausted(t *testing.T) {
	b := newBench(t, false)
	b.run(func(context.Context, pipeline.Event) error { return errors.New("503") })
	b.handled(2, "inbox/a", nil)
	got := b.metrics()
	for series, want := range map[string]float64{
		`bucketsum_objects_total{outcome="returned"}`:          1,
		`bucketsum_objects_total{outcome="failed"}`:            1,
		`bucketsum_dead_letters_total{reason="exhausted"}`:     1,
		`bucketsum_retries_total`:                              4,
		`bucketsum_phase_duration_seconds_count{phase="wait"}`: 1,
	} {
		if got[series] != want {
			t.Errorf("%s is %v, want %v", series, got[series], want)
		}
	}
}

// TestProgress asserts that the time of the last progress changes when a byte is read, and not
// otherwise.
func TestProgress(t *testing.T) {
	b := newBench(t, false)
	at := func() float64 { return b.metrics()["bucketsum_last_progress_timestamp_seconds"] }
	start := at()
	if now := float64(time.Now().UnixNano()) / 1e9; start > now || start < now-60 {
		t.Fatalf("at the start it is %f, and the time is %f", start, now)
	}
	if again := at(); again != start {
		t.Errorf("it changed from %f to %f although nothing was done", start, again)
	}
	b.run(func(context.Context, pipeline.Event) error { return errors.New("503") })
	r, err := b.bucket.Source.Open(t.Context(), pipeline.Object{Bucket: "inbox", Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if again := at(); again != start {
		t.Errorf("it changed from %f to %f although nothing was read", start, again)
	}
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if read := at(); read <= start {
		t.Errorf("a byte was read, but it is still %f", start)
	}
}

func TestCheckpointsAreCounted(t *testing.T) {
	b := newBench(t, false)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large"), []byte("0123456789"), 0o666); err != nil {
		t.Fatal(err)
	}
	files, err := folder.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	store := blobstore.New(files, "inbox", blobstore.Config{})
	defer store.Close()
	bucket := b.telemetry.Observer().Bucket(store.Bucket())
	o, err := bucket.Source.Stat(t.Context(), pipeline.Object{Bucket: "inbox", Key: "large"})
	if err != nil {
		t.Fatal(err)
	}
	if err := bucket.Checkpoints.Save(t.Context(), o, []byte("half")); err != nil {
		t.Fatal(err)
	}
	r, err := bucket.Source.OpenAt(t.Context(), o, 5)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	got := b.metrics()
	if got["bucketsum_checkpoint_saves_total"] != 1 || got["bucketsum_checkpoint_resumes_total"] != 1 {
		t.Errorf("saves %v, resumes %v", got["bucketsum_checkpoint_saves_total"], got["bucketsum_checkpoint_resumes_total"])
	}
}
