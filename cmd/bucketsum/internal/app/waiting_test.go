package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// counting is a queue that says what waits.
type counting struct {
	cloudpubsub.Driver
	asked *atomic.Int32
}

func (d counting) Traits() queue.Traits {
	t := d.Driver.Traits()
	t.Count = func(context.Context, string) (queue.Count, error) {
		d.asked.Add(1)
		return queue.Count{Waiting: 17, Exact: true}, nil
	}
	return t
}

// TestWaiting expects what the queue says in the status, and that it is asked only after a look.
func TestWaiting(t *testing.T) {
	var asked atomic.Int32
	c := folderWorker(t, t.TempDir())
	c.Drivers, c.Listen = queue.Drivers{counting{asked: &asked}}, "127.0.0.1:0"
	a, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	get := func(path string) (status live.Status) {
		t.Helper()
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.Address()+path, nil)
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		_ = json.NewDecoder(response.Body).Decode(&status)
		return status
	}
	get("/readyz")
	get("/metrics")
	if n := asked.Load(); n != 0 {
		t.Errorf("the queue was asked %d times before anyone looked", n)
	}
	want := live.Waiting{Count: 17, Bound: live.Exactly, Shared: true}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if got := get("/status").Waiting; got != nil && *got == want {
			break
		} else if time.Now().After(end) {
			t.Fatalf("waiting is %+v, want %+v", got, want)
		}
	}
	for range 5 {
		get("/status")
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the queue was asked %d times, want once in 30 s", n)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestFlow expects how a worker is wired, without any secret.
func TestFlow(t *testing.T) {
	layout, err := blobstore.ParseLayout("sums/{key}.{alg}")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Queue: "nats://user:s3cret@broker/uploads?token=s3cret", DeadLetter: "amqp://u:s3cret@broker/dead", Results: "kafka://broker/results?password=s3cret",
		Buckets:    []BucketURL{{"photos", "s3://photos?endpoint=https://u:s3cret@minio"}},
		Algorithms: []string{"md5", "sha256"}, BucketConfig: blobstore.Config{Layout: layout, Records: blobstore.RecordOptions{Bucket: "s3://sums?accessKey=s3cret"}},
	}
	got := fmt.Sprintf("%+v", c.flow())
	if strings.Contains(got, "s3cret") {
		t.Errorf("a secret is in %s", got)
	}
	for _, want := range []string{"nats://broker/uploads", "s3://photos", "sums/FILE.md5", "sums/FILE.sha256", "in s3://sums", "amqp://broker/dead", "kafka://broker/results", "aws s3 cp FILE s3://photos/"} {
		if !strings.Contains(got, want) {
			t.Errorf("flow %s lacks %s", got, want)
		}
	}
}

func TestShellPath(t *testing.T) {
	for dir, want := range map[string]string{
		"./inbox": "./inbox/", "inbox/": "inbox/", "my files": "'my files/'", "it's": `'it'\''s/'`, "/srv/größe": "/srv/größe/",
	} {
		if got := shellPath(dir); got != want {
			t.Errorf("%q: %s, want %s", dir, got, want)
		}
	}
}
