package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
)

// TestQueues runs one suite on every queue technology. Only the URLs differ. With -short
// it does not stop servers.
func TestQueues(t *testing.T) {
	var (
		servers = startQueueServers(t)

		mu    sync.Mutex
		ran   = make(map[string]ranOn)
		tests sync.WaitGroup // not t.Parallel, which limits their number: they wait most of the time
	)
	for scheme, start := range servers {
		tests.Go(func() {
			t.Run(scheme, func(t *testing.T) {
				b := start(t)
				did, all := ranOn{server: b.runsOn}, 1
				t.Run("Flow", func(t *testing.T) { testFlow(t, b); did.parts++ })
				if testing.Short() {
					return
				}
				if b.stop != nil {
					all++
					t.Run("Stopped", func(t *testing.T) { testStopped(t, b); did.stopped = b.stops; did.parts++ })
				}
				if slices.Contains(hasEvents, scheme) {
					all++
					t.Run("OnPremises", func(t *testing.T) { testOnPremises(t, b); did.parts++ })
				}
				switch scheme {
				case "mem": // nothing lies there
				case "sqs":
					t.Run("Redrive", func(t *testing.T) { testRedriveOfGroup(t, b.urls(t, "redrive")) })
				default:
					t.Run("Redrive", func(t *testing.T) { testRedrive(t, b.urls(t, "redrive")) })
				}
				mu.Lock()
				defer mu.Unlock()
				if did.parts == all {
					ran[scheme] = did
				}
			})
		})
	}
	tests.Wait()
	if len(ran) == len(servers) && !t.Failed() { // otherwise -run chose some of them, or a server is missing
		checkTable(t, ran)
	}
}

// ranOn says on which server the suite ran, and how many of its parts passed.
type ranOn struct {
	server  string
	parts   int
	stopped string // how the server was stopped half-way; empty: it was not
}

// testFlow sends duplicates, odd keys and messages that can never be handled.
func testFlow(t *testing.T, b queueServer) {
	f := newFlow(t, b.urls(t, "flow"))
	var events []string
	for _, key := range []string{
		"with space", " leading", "'single' \"double\"", `back\slash`, "new\nline", "tab\t", "ünïcödé ☃ 文件", "percent%20", "a+b", "*.glob?[x]", "#hash",
		"sub/with space/new\nline",
	} {
		events = append(events, f.object(key))
	}
	garbage := map[string]string{
		`{"detail":`:                           "JSON",
		"garbage ☃":                            "JSON",
		`{"Records":[{"eventName":"x"}]`:       "JSON",
		created("secrets", "a"):                `bucket "secrets" is not configured`,
		created(f.bucket, "../other bucket/x"): "leads out of the bucket",
	}
	for body, reason := range garbage {
		f.wantLetters[body] = reason
	}
	for _, key := range []outcome{{bucket: "secrets", key: "a"}, {bucket: f.bucket, key: "../other bucket/x"}} {
		key.kind = cloudevents.TypeFailed
		f.wantResults[key] = true
	}
	before, after := events, slices.Clone(events) // so that each comes twice
	for body := range garbage {
		after = append(after, body)
	}
	if b.stop == nil {
		f.start()
	}
	f.mustSend(before...) // before any worker, if the queue outlives this process
	if b.stop != nil {
		f.start()
	}
	f.mustSend(after...)
	f.mustSend(`{"Event":"s3:TestEvent","Service":"Amazon S3","Bucket":"photos"}`, created(f.bucket, "a+b.md5"), created(f.bucket, "absent"))
	if f.urls.left == nil {
		f.until("handling messages", func() bool { return f.handled() >= len(before)+len(after)+3 })
	}
	f.finish()
}

// testStopped stops the server while workers have messages and more are in the queue, and
// starts it again. The workers continue and no message is lost. The same holds for
// workers on another queue whose results go to this server.
func testStopped(t *testing.T, b queueServer) {
	const (
		n     = 20
		slots = 2 * 3 // of two workers
	)
	slow := startSlowStore(t, "slow")
	f := newFlow(t, b.urls(t, "stopped"))
	var events []string
	for i := range n {
		events = append(events, f.object(fmt.Sprintf("object %d", i)))
	}
	f.start("--bucket", slow.flag)
	f.start("--bucket", slow.flag) // a second subscription to the same queue
	t.Cleanup(slow.answer)         // before the workers are awaited
	f.mustSend(events[:n/4]...)

	urls, queue := b.urls(t, "down"), memServer(t).urls(t, "down")
	urls.queue, urls.deadLetters, urls.letters, urls.left = queue.queue, queue.deadLetters, queue.letters, nil
	elsewhere := newFlow(t, urls)
	event := elsewhere.object("object")
	elsewhere.start()

	f.until("handling the first messages", func() bool { return f.handled() > 2 })
	for i := range 2 * slots {
		f.mustSend(created("slow", fmt.Sprint("gone ", i)))
	}
	f.mustSend(events[n/4 : n/2]...)
	f.until("beginning with slow work", func() bool { return slow.asked.Load() > 0 })
	if f.urls.left(t, f.urls.queue) == 0 {
		t.Error("nothing is left in the queue that could be lost")
	}
	b.stop()
	elsewhere.mustSend(event)
	failed := make(chan struct{}) // nothing can be sent
	sent := make(chan error, 1)
	go func() {
		var (
			once sync.Once
			err  error
		)
		for _, e := range events[n/2:] {
			for err = f.send(e); err != nil && t.Context().Err() == nil; err = f.send(e) {
				once.Do(func() { close(failed) })
			}
		}
		sent <- err
	}()
	f.until("sending to a broker that is stopped", func() bool { return isClosed(failed) })
	slow.answer() // the work ends while its result cannot be sent
	// The record exists. Its event is redelivered until the result is sent.
	elsewhere.until("handling the event twice", func() bool {
		return elsewhere.logged("object handled", "outcome=current") > 0
	})
	_, err := os.Stat(filepath.Join(elsewhere.dir, "object.md5"))
	if err != nil || elsewhere.handled() > 0 || len(elsewhere.heardOf) > 0 {
		t.Errorf("record: %v; %d messages acked; results: %v", err, elsewhere.handled(), elsewhere.heardOf)
	}
	b.start()
	f.until("sending the rest", func() bool { return len(sent) > 0 })
	if err := <-sent; err != nil {
		t.Error(err)
	}
	f.finish()
	for i := range 2 * slots {
		if f.logged("message superseded", fmt.Sprintf(`slow/gone %d"`, i))+f.logged("message superseded", fmt.Sprintf("slow/gone %d:", i)) == 0 {
			t.Errorf("no worker noticed that object %d of the slow store is gone", i)
		}
	}
	elsewhere.finish()
	if n := elsewhere.handled(); n != 1 {
		t.Errorf("%d messages acked", n)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
