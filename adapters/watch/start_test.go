package watch_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/watch"
	"github.com/bucketsum/bucketsum/pipeline"
)

// Objects that were deleted before the start are announced as deleted, and those
// that still exist are not. A folder or a link that leads out is no object.
func TestDeletedBeforeStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/there", "x")
	write(t, dir+"/file", "x")
	write(t, dir+"/now a folder/x", "x")
	must(t, os.Symlink(t.TempDir(), dir+"/now a link"))
	remembered := func(context.Context) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			_ = yield("there", nil) && yield("gone", nil) && yield("", errors.New("a folder cannot be read")) &&
				yield("no folder/gone", nil) && yield("file/is no folder", nil) &&
				yield("now a folder", nil) && yield("now a link", nil)
		}
	}
	r := start(t, watch.Config{Dir: dir, Settle: quick, Remembered: remembered}, nil)
	want := []string{"created file", "created now a folder/x", "created there", "deleted file/is no folder", "deleted gone",
		"deleted no folder/gone", "deleted now a folder", "deleted now a link"}
	r.inbox.until(t, "start", func() bool { return len(r.inbox.all()) >= len(want) })
	if diff := cmp.Diff(want, sorted(r.inbox.lines())); diff != "" {
		t.Error(diff)
	}
}

func TestFilesAtStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"done", "done in a folder/x", "new", "old version", "unsure", "record.md5", ".bucketsum/x"} {
		write(t, filepath.Join(dir, name), name)
	}
	done := map[string]string{
		"done":               etag(t, dir+"/done"),
		"done in a folder/x": etag(t, dir+"/done in a folder/x"),
		"old version":        "1-1",
	}
	r := start(t, watch.Config{Dir: dir, Settle: quick, Current: func(_ context.Context, o pipeline.Object) (bool, error) {
		if o.Bucket != "inbox" || o.Size != int64(len(o.Key)) && o.Key != "done in a folder/x" {
			t.Errorf("asked about %+v", o)
		}
		if o.Key == "unsure" {
			return false, errors.New("the store is down")
		}
		return done[o.Key] == o.ETag, nil
	}}, nil)
	want := []string{"created new", "created old version", "created unsure"}
	r.inbox.until(t, "start", func() bool { return len(r.inbox.all()) >= len(want) })
	if diff := cmp.Diff(want, sorted(r.inbox.lines())); diff != "" {
		t.Error(diff)
	}
	// A file that was current at the start is known too.
	must(t, os.RemoveAll(dir+"/done in a folder"))
	r.inbox.until(t, "deleted", func() bool { return slices.Contains(r.inbox.lines(), "deleted done in a folder/x") })
	write(t, dir+"/done", "other")
	r.inbox.until(t, "rewritten", func() bool { return r.inbox.state()["done"] == etag(t, dir+"/done") })
	r.inbox.mu.Lock()
	defer r.inbox.mu.Unlock()
	if len(r.inbox.topics) != 1 || !r.inbox.topics["mem://events"] {
		t.Errorf("published to %v", r.inbox.topics)
	}
}

// The progress counts the files that were found, and those whose events are not published, also the one that waits for the
// publisher.
func TestProgress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "sub/c", "c.md5"} {
		write(t, filepath.Join(dir, name), name)
	}
	box := newInbox()
	box.hold = make(chan struct{})
	r := start(t, watch.Config{Dir: dir, Settle: quick, Publisher: box}, nil)
	if got, want := r.folder.Progress(), (watch.Progress{Found: 3, Waiting: 3}); got != want {
		t.Errorf("progress after the first scan is %+v, want %+v", got, want)
	}
	box.hold <- struct{}{}
	box.hold <- struct{}{}
	r.inbox.until(t, "two files", func() bool { return len(r.inbox.all()) == 2 })
	r.stop()
	must(t, r.wait())
	if got, want := r.folder.Progress(), (watch.Progress{Found: 3, Waiting: 1}); got != want {
		t.Errorf("progress at the end is %+v, want %+v", got, want)
	}
}
