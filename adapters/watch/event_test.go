package watch_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/watch"
)

// bodies is a publisher that keeps the bodies of the messages.
type bodies chan []byte

func (b bodies) Publish(_ string, messages ...*message.Message) error {
	for _, m := range messages {
		b <- m.Payload
	}
	return nil
}

func (b bodies) Close() error { return nil }

func TestMessageForm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got := make(bodies, 10)
	f, err := watch.NewFolder(watch.Config{Dir: dir, Bucket: "my-bucket", Publisher: got, Topic: "t", Settle: quick})
	must(t, err)
	done := make(chan error, 1)
	s := newFakeSource(dir)
	f.SetOpen(s.Open)
	go func() { done <- f.Run(t.Context()) }()
	t.Cleanup(func() { must(t, <-done) })
	<-f.Ready()
	const name = "a <&> \"b\"\n\\c+%20"
	write(t, dir+"/"+name, "")
	modified := time.Unix(1700000000, 123456789)
	must(t, os.Chtimes(dir+"/"+name, modified, modified))
	s.events <- fsnotify.Event{Name: s.dir + "/" + name, Op: fsnotify.Create}
	created := string(<-got)
	tag := etag(t, dir+"/"+name)
	must(t, os.Remove(dir+"/"+name))
	s.events <- fsnotify.Event{Name: s.dir + "/" + name, Op: fsnotify.Remove}
	deleted := string(<-got)

	const head = `{"version":"0","id":"ID","detail-type":"Object TYPE","source":"aws.s3","account":"000000000000","time":"TIME",` +
		`"region":"local","resources":["arn:aws:s3:::my-bucket"],"detail":{"version":"0","bucket":{"name":"my-bucket"},` +
		`"object":{"key":"a <&> \"b\"\n\\c+%20",`
	if !strings.HasPrefix(tag, "17979cfe3d85cd15-0") {
		t.Errorf("the ETag is %s", tag)
	}
	tail := `"etag":"` + tag + `","sequencer":"SEQUENCER"},"request-id":"SEQUENCER","requester":"000000000000","source-ip-address":"127.0.0.1",`
	for want, got := range map[string]string{
		strings.Replace(head, "TYPE", "Created", 1) + `"size":0,` + tail + `"reason":"PutObject"}}`:                            created,
		strings.Replace(head, "TYPE", "Deleted", 1) + tail + `"reason":"DeleteObject","deletion-type":"Permanently Deleted"}}`: deleted,
	} {
		var e event
		must(t, json.Unmarshal([]byte(got), &e))
		if at, err := time.Parse(time.RFC3339, e.Time); err != nil || time.Since(at).Abs() > time.Hour || !strings.HasSuffix(e.Time, "Z") {
			t.Errorf("time %q: %v", e.Time, err)
		}
		if len(e.ID) != 36 || len(e.Detail.Object.Sequencer) != 16 {
			t.Errorf("id %q, sequencer %q", e.ID, e.Detail.Object.Sequencer)
		}
		got = strings.NewReplacer(e.ID, "ID", e.Time, "TIME", e.Detail.Object.Sequencer, "SEQUENCER").Replace(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// A read that is pinned to the ETag of an event must find that version.
func TestETag(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, at := range map[string]time.Time{"now": time.Now(), "1960": time.Unix(-3e8, 7), "whole": time.Unix(1e9, 0), "ü b": time.Now()} {
		write(t, dir+"/"+name, name)
		must(t, os.Chtimes(dir+"/"+name, at, at))
	}
	must(t, os.Symlink("now", dir+"/link"))
	r := start(t, watch.Config{Dir: dir, Settle: quick}, nil)
	r.inbox.until(t, "start", func() bool { return len(r.inbox.state()) == 5 })
	for key, tag := range r.inbox.state() {
		if want := etag(t, filepath.Join(dir, key)); tag != want {
			t.Errorf("%s: announced with ETag %s, not %s", key, tag, want)
		}
	}
}
