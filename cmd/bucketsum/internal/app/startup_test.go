package app

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// lateQueues is the driver of queues that can be opened when they are there.
type lateQueues struct{ fault func() error }

func (lateQueues) Traits() queue.Traits {
	return queue.Traits{Schemes: []queue.Scheme{{Name: "late", Example: "late://q"}}}
}

func (d lateQueues) OpenQueue(context.Context, string, int) (queue.Queue, error) {
	return silentQueue{}, d.fault()
}

func (d lateQueues) OpenTopic(context.Context, string) (queue.Topic, error) {
	return nil, errors.New("not used")
}

// silentQueue has no messages.
type silentQueue struct{}

func (silentQueue) Receive(ctx context.Context, _ int) ([]queue.Delivery, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silentQueue) Close() error { return nil }

// lateBuckets are the drivers of buckets that can be opened when they are there.
func lateBuckets(fault func() error) blobstore.Drivers {
	return blobstore.Drivers{{Scheme: "late", Open: func(context.Context, *url.URL, driver.Options) (driver.Bucket, error) {
		if err := fault(); err != nil {
			return nil, err
		}
		return memory.New(memblob.OpenBucket(nil)), nil
	}}}
}

// text is a log that several goroutines write.
type text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *text) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// startLate runs a worker that waits for its bucket and its queue. stop ends it.
func startLate(t *testing.T, bucket, queueFault func() error) (a *App, log *text, ended <-chan error, stop func()) {
	t.Helper()
	log = new(text)
	a, err := New(t.Context(), Config{
		Drivers: queue.Drivers{lateQueues{queueFault}}, Queue: "late://user:secret@q",
		Buckets: []BucketURL{{Name: "photos", URL: "late://photos"}}, BucketDrivers: lateBuckets(bucket),
		Wait: true, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan error, 1)
	go func() { end <- errors.Join(a.Run(ctx), a.Close()) }()
	return a, log, end, cancel
}

// until returns a fault that passes after some time.
func until(t *testing.T, d time.Duration, err error) func() error {
	t.Helper()
	there := time.Now().Add(d)
	return func() error {
		if time.Now().Before(there) {
			return err
		}
		return nil
	}
}

// TestWaitsAtStart: a worker whose bucket and queue come later waits for them, says so,
// and then works.
func TestWaitsAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		missing := &fs.PathError{Op: "open", Path: "/photos", Err: fs.ErrNotExist}
		a, log, ended, stop := startLate(t, until(t, 5*time.Minute, missing), until(t, 2*time.Hour, errors.New("dial late://user:secret@q: connection refused")))
		synctest.Wait()
		for _, want := range []string{`for="bucket photos"`, "file does not exist", "for=--queue", "connection refused"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, log)
			}
		}
		ready := func() map[string]string { return a.ready.Load().Faults(t.Context()) }
		if faults := ready(); !strings.Contains(faults["bucket photos"], "file does not exist") || faults["--queue"] == "" {
			t.Errorf("not ready because of %q", faults)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if faults := ready(); faults["bucket photos"] != "" || faults["--queue"] == "" {
			t.Errorf("after an hour: not ready because of %q", faults)
		}
		lines := strings.Count(log.String(), "for=--queue")
		if lines < 60 || lines > 90 {
			t.Errorf("the log says it %d times in an hour, want about once a minute", lines)
		}
		if strings.Contains(log.String(), "msg=serving") {
			t.Error("it works without a queue")
		}
		time.Sleep(time.Hour + 2*time.Minute)
		synctest.Wait()
		if faults := ready(); len(faults) > 0 || !strings.Contains(log.String(), "msg=serving") {
			t.Errorf("not ready because of %q:\n%s", faults, log)
		}
		if strings.Contains(log.String(), "secret") {
			t.Errorf("the log tells a password:\n%s", log)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// TestStopWhileWaiting: a worker that is stopped while it waits has done all its work.
func TestStopWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := func() error { return errors.New("connection refused") }
		_, _, ended, stop := startLate(t, func() error { return nil }, never)
		time.Sleep(time.Hour)
		stop()
		synctest.Wait()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		default:
			t.Fatal("it does not end")
		}
	})
}

// TestPermanentFaultAtStart: what no waiting can mend ends the worker at once, also
// while it waits for something else.
func TestPermanentFaultAtStart(t *testing.T) {
	for name, faults := range map[string][2]error{
		"queue":  {&fs.PathError{Op: "open", Path: "/photos", Err: fs.ErrNotExist}, pipeline.Permanent(errors.New("no region"))},
		"bucket": {errors.New("a bucket has no such parameter"), errors.New("connection refused")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				_, _, ended, _ := startLate(t, func() error { return faults[0] }, func() error { return faults[1] })
				err := <-ended
				want := map[string]string{"queue": "--queue: subscribe to late://q: no region", "bucket": "--bucket: open bucket photos: a bucket has no such parameter"}[name]
				if err == nil || err.Error() != want || time.Since(began) > 0 {
					t.Errorf("%v after %s, want %q at once", err, time.Since(began), want)
				}
			})
		})
	}
}
