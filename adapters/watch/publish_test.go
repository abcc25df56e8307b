package watch_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/watch"
	"github.com/bucketsum/bucketsum/pipeline"
)

// logLines keeps what is logged.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func newLog() *logLines { return new(logLines) }

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logLines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// with returns the lines that contain a text.
func (l *logLines) with(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(strings.Split(l.buf.String(), "\n"), func(s string) bool { return !strings.Contains(s, text) })
}

func TestPublisherFails(t *testing.T) {
	box := newInbox()
	box.fail = func(n int) error {
		if n <= 2 {
			return errors.New("the queue is down")
		}
		return nil
	}
	log := newLog()
	withFakeSource(t, watch.Config{Publisher: box, Log: log.logger()}, func(t *testing.T, r *running, s *fakeSource) {
		write(t, r.path("a"), "a")
		write(t, r.path("b"), "b")
		s.report(fsnotify.Create, "a", "b")
		time.Sleep(time.Minute)
		r.expect(t, "created a", "created b")
		if box.ids[0] != box.ids[1] || box.ids[1] != box.ids[2] || box.ids[2] == box.ids[3] {
			t.Errorf("message ids: %q", box.ids)
		}
		if got := box.all()[0].ID; got != box.ids[0] {
			t.Errorf("event %s in message %s", got, box.ids[0])
		}
		if got := log.with("the queue is down"); len(got) != 2 || !strings.Contains(got[1], "attempt=2") || !strings.Contains(got[1], "key=a") {
			t.Errorf("logged %q", got)
		}
	})
}

// While the publisher is slow, only the last change of each key is kept.
func TestPublisherSlow(t *testing.T) {
	box := newInbox()
	withFakeSource(t, watch.Config{Publisher: box}, func(t *testing.T, r *running, s *fakeSource) {
		box.hold = make(chan struct{})
		write(t, r.path("first"), "x")
		s.report(fsnotify.Create, "first")
		time.Sleep(settle)
		synctest.Wait() // the publisher holds it
		for i := range 5 {
			for _, name := range []string{"a", "b", "first"} {
				write(t, r.path(name), strings.Repeat("x", i+1))
				s.report(fsnotify.Write, name)
			}
			time.Sleep(settle)
			synctest.Wait()
		}
		must(t, os.Remove(r.path("b")))
		s.report(fsnotify.Remove, "b")
		time.Sleep(settle)
		r.expect(t)
		close(box.hold)
		r.expect(t, "created first", "created a", "deleted b", "created first")
		if got := r.inbox.all()[3].Detail.Object.ETag; got != etag(t, r.path("first")) {
			t.Errorf("the last event has ETag %s", got)
		}
	})
}

func TestStopWhilePublishing(t *testing.T) {
	for name, prepare := range map[string]func(*inbox){
		"slow":    func(b *inbox) { b.hold = make(chan struct{}) },
		"failing": func(b *inbox) { b.fail = func(int) error { return errors.New("down") } },
	} {
		t.Run(name, func(t *testing.T) {
			box := newInbox()
			withFakeSource(t, watch.Config{Publisher: box}, func(t *testing.T, r *running, s *fakeSource) {
				prepare(box)
				write(t, r.path("a"), "a")
				s.report(fsnotify.Create, "a")
				time.Sleep(time.Minute)
				r.stop()
				if err := r.wait(); err != nil {
					t.Error(err)
				}
				r.expect(t)
			})
		})
	}
}

func TestStopDuringCurrent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a", "a")
	asked := make(chan struct{})
	r := start(t, watch.Config{Dir: dir, Settle: quick, Current: func(ctx context.Context, _ pipeline.Object) (bool, error) {
		close(asked)
		<-ctx.Done()
		return false, ctx.Err()
	}}, nil)
	<-asked
	r.stop()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if got := r.inbox.lines(); len(got) > 0 {
		t.Errorf("announced %q", got)
	}
}

func TestSequencer(t *testing.T) {
	now := time.Unix(0, 0x17A2B3C4D5E6F708)
	var s watch.Sequencer
	var got []string
	for _, at := range []time.Time{now, now, now.Add(-time.Hour), now.Add(10)} {
		got = append(got, s.Next(at))
	}
	want := []string{"17A2B3C4D5E6F708", "17A2B3C4D5E6F709", "17A2B3C4D5E6F70A", "17A2B3C4D5E6F712"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var early watch.Sequencer
	if got := early.Next(time.Unix(0, 255)); got != "00000000000000FF" {
		t.Errorf("an early one is %s, which does not compare", got)
	}
}
