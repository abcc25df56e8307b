package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
	"github.com/bucketsum/bucketsum/adapters/cloudpubsub/cloudpubsubtest"
	"github.com/bucketsum/bucketsum/adapters/jetstream/jetstreamtest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestMain(m *testing.M) {
	jetstreamtest.Main()
	goleak.VerifyTestMain(m, cloudpubsubtest.GocloudLeak)
}

// inMemory are the drivers of these tests.
var inMemory = queue.Drivers{cloudpubsub.Driver{}}

// folderWorker returns the Config of a worker on a folder, which is bucket inbox, and a
// queue in memory.
func folderWorker(t *testing.T, dir string) Config {
	t.Helper()
	bucket, err := folder.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	layout, err := blobstore.ParseLayout(blobstore.DefaultLayout)
	if err != nil {
		t.Fatal(err)
	}
	store := blobstore.New(bucket, "inbox", blobstore.Config{Layout: layout, Algorithms: []string{"md5"}})
	t.Cleanup(func() { store.Close() })
	return Config{Drivers: inMemory, Queue: "mem://events-" + rand.Text(), Stores: map[string]*blobstore.Store{"inbox": store}}
}

// TestRun runs a worker from its Config: an event becomes a record, the HTTP side says
// ready, and the end of the context drains.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	results := make(chan pipeline.Result, 1)
	c := folderWorker(t, dir)
	c.Listen = "127.0.0.1:0"
	c.Observer.Result = func(_ context.Context, r pipeline.Result, _ error) { results <- r }
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
	event := message.NewMessage("1", []byte(`{"detail-type":"Object Created","source":"aws.s3","time":"2026-01-02T03:04:05Z",
		"detail":{"bucket":{"name":"inbox"},"object":{"key":"a","sequencer":"01"}}}`))
	if err := publisher.Publish(c.Queue, event); err != nil {
		t.Fatal(err)
	}
	select {
	case r := <-results:
		if r.Outcome != pipeline.Recorded || r.Record.Source.Key != "a" {
			t.Errorf("the result is %v of %q", r.Outcome, r.Record.Source.Key)
		}
	case err := <-ended:
		t.Fatalf("the worker ended without a result: %v", err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "a.md5"))
	if want := "b1946ac92492d2347c6235b4d2611184  a\n"; err != nil || string(got) != want {
		t.Errorf("the record is %q, %v; want %q", got, err, want)
	}
	request, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("http://%s/readyz", a.Address()), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	if response, err := http.DefaultClient.Do(request); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("/readyz: %v, %v", response, err)
	} else {
		response.Body.Close()
	}
	stop()
	if err := errors.Join(<-ended, a.Close()); err != nil {
		t.Error(err)
	}
}

// TestNewFails expects an error that names the setting. TestMain fails if New leaves
// goroutines behind.
func TestNewFails(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"queue":       {func(c *Config) { c.Queue = "sqss://q" }, "--queue: "},
		"dead letter": {func(c *Config) { c.DeadLetter = "sqss://q" }, "--dead-letter: "},
		"results":     {func(c *Config) { c.Results = "sqss://q" }, "--results: "},
		"slice":       {func(c *Config) { c.Continue, c.Resume.Slice = "sqss://q", time.Hour }, "--slice: "},
		"listen":      {func(c *Config) { c.Listen = "127.0.0.1:99999" }, "--listen: "},
		"buckets":     {func(c *Config) { c.Stores = nil }, "no bucket is configured"},
		"negative": {func(c *Config) { c.Concurrency, c.DrainTimeout, c.Resume.Slice = -1, -1, -1 },
			"--concurrency: -1 is less than 1\n--drain-timeout: -1ns is not more than 0\n--slice: -1ns is negative"},
		"several settings": {func(c *Config) { c.Algorithms, c.MaxUpload, c.Include = []string{"md6"}, -2, []string{"["} },
			`unknown algorithm "md6"; did you mean md5? Valid are md5, sha1, sha256, sha512, crc32c, crc64nvme, blake3, xxh3` + "\n--max-upload: -2 is less than -1\n" + `--include: "[" is not a glob`},
	} {
		t.Run(name, func(t *testing.T) {
			c := folderWorker(t, t.TempDir())
			c.Listen = "127.0.0.1:0"
			tc.change(&c)
			if _, err := New(t.Context(), c); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// TestClose expects closing in reverse order, and all errors.
func TestClose(t *testing.T) {
	var order []int
	a := new(App)
	for i := range 3 {
		a.closes = append(a.closes, func() error {
			order = append(order, i)
			return fmt.Errorf("fault %d", i)
		})
	}
	err := a.Close()
	if err == nil || err.Error() != "fault 2\nfault 1\nfault 0" || !slices.Equal(order, []int{2, 1, 0}) {
		t.Errorf("closed in the order %v: %v", order, err)
	}
	if err := a.Close(); err != nil || len(order) != 3 {
		t.Errorf("a second Close closed again: %v, %v", order, err)
	}
}

// TestLocalSumsAndReports runs the whole flow over a folder until it has summed a file.
func TestLocalSumsAndReports(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	layout, err := blobstore.ParseLayout(blobstore.DefaultLayout)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	out := &stopAt{part: "b1946ac92492d2347c6235b4d2611184 ", stop: stop}
	err = Local(ctx, LocalConfig{
		Dir: dir, Layout: layout, Out: out,
		Worker: Config{Drivers: inMemory},
	})
	if got := out.String(); err != nil || !strings.Contains(got, "is the bucket: copy FILE into it") || !strings.Contains(got, "1 file summed (6 B)") {
		t.Errorf("%v, %s", err, got)
	}
}

// stopAt is a Writer that stops the worker when a line with a part is written. The report
// writes one line at a time.
type stopAt struct {
	bytes.Buffer
	part string
	stop func()
}

func (w *stopAt) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.part)) {
		w.stop()
	}
	return w.Buffer.Write(p)
}
