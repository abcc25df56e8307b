package watch_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/bucketsum/bucketsum/adapters/watch"
)

func recordOf(key string) (string, bool) { return strings.CutSuffix(key, ".md5") }

// A record that is removed or written to is made again: its object is announced.
func TestRecordChanged(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(t *testing.T, r *running, s *fakeSource)
		want []string // after "created a"
	}{
		"removed": {func(t *testing.T, r *running, s *fakeSource) {
			must(t, os.Remove(r.path("a.md5")))
			s.report(fsnotify.Remove, "a.md5")
		}, []string{"created a"}},
		"moved away": {func(t *testing.T, r *running, s *fakeSource) {
			must(t, os.Rename(r.path("a.md5"), r.path("his")))
			s.report(fsnotify.Rename, "a.md5")
			s.report(fsnotify.Create, "his")
		}, []string{"created his", "created a"}},
		"written to, more than once": {func(t *testing.T, r *running, s *fakeSource) {
			write(t, r.path("a.md5"), "his own")
			s.report(fsnotify.Write, "a.md5", "a.md5", "a.md5")
		}, []string{"created a"}},
		"removed, and the object looked at": {func(t *testing.T, r *running, s *fakeSource) {
			must(t, os.Remove(r.path("a.md5")))
			s.report(fsnotify.Remove, "a.md5")
			s.report(fsnotify.Create, "a") // it did not change
		}, []string{"created a"}},
		"removed with its object": {func(t *testing.T, r *running, s *fakeSource) {
			must(t, os.Remove(r.path("a.md5")), os.Remove(r.path("a")))
			s.report(fsnotify.Remove, "a.md5", "a")
		}, []string{"deleted a"}},
		"removed after its object": {func(t *testing.T, r *running, s *fakeSource) {
			must(t, os.Remove(r.path("a")))
			s.report(fsnotify.Remove, "a")
			time.Sleep(settle)
			must(t, os.Remove(r.path("a.md5"))) // by the pipeline
			s.report(fsnotify.Remove, "a.md5")
		}, []string{"deleted a"}},
		"replaced, as by the pipeline": {func(t *testing.T, r *running, s *fakeSource) {
			write(t, r.path(".bucketsum/tmp/x"), "new")
			must(t, os.Rename(r.path(".bucketsum/tmp/x"), r.path("a.md5")))
			s.report(fsnotify.Create, "a.md5")
		}, nil},
		"found in a new folder, without its object": {func(t *testing.T, r *running, s *fakeSource) {
			write(t, r.path("new/b.md5"), "record")
			write(t, r.path("new/c"), "c")
			write(t, r.path("new/c.md5"), "record")
			s.report(fsnotify.Create, "new")
			time.Sleep(time.Hour)
			s.report(fsnotify.Chmod, "new") // no second time
		}, []string{"deleted new/b", "created new/c"}},
		"of nothing": {func(t *testing.T, r *running, s *fakeSource) {
			s.report(fsnotify.Remove, "nothing.md5", "no/thing.md5")
		}, nil},
		"of a record": {func(t *testing.T, r *running, s *fakeSource) {
			s.report(fsnotify.Remove, "a.md5.md5")
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			withFakeSource(t, watch.Config{RecordOf: recordOf}, func(t *testing.T, r *running, s *fakeSource) {
				write(t, r.path("a"), "a")
				s.report(fsnotify.Create, "a")
				time.Sleep(settle)
				write(t, r.path("a.md5"), "record")
				s.report(fsnotify.Create, "a.md5")
				time.Sleep(time.Hour)
				r.expect(t, "created a")
				test.do(t, r, s)
				time.Sleep(time.Hour)
				r.expect(t, append([]string{"created a"}, test.want...)...)
			})
		})
	}
}

// A file that got new permissions may be readable now, and a file of the same
// modification time and size may have another content.
func TestSameTimeAndSize(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := time.Unix(1e9, 0)
	write(t, dir+"/a", "one")
	must(t, os.Chtimes(dir+"/a", at, at))
	r := start(t, watch.Config{Dir: dir, Settle: quick}, nil)
	r.inbox.untilState(t, dir)
	must(t, os.Chmod(dir+"/a", 0o600))
	r.inbox.until(t, "new permissions", func() bool { return len(r.inbox.all()) == 2 })
	r.inbox.untilState(t, dir)
	write(t, dir+"/.bucketsum/new", "two")
	must(t, os.Chtimes(dir+"/.bucketsum/new", at, at), os.Rename(dir+"/.bucketsum/new", dir+"/a"))
	r.inbox.until(t, "replaced", func() bool { return len(r.inbox.all()) == 3 })
	r.inbox.untilState(t, dir)
}

// A record comes back only when no file has been removed for a while: a user who removes a
// folder must not find new records in it.
func TestRecordsComeBackAfterQuiet(t *testing.T) {
	removed := make(map[string]int)
	c := watch.Config{RecordOf: recordOf, Removed: func(key string) { removed[key]++ }}
	withFakeSource(t, c, func(t *testing.T, r *running, s *fakeSource) {
		names := []string{"a", "b", "c", "d", "e", "f", "g"}
		for _, name := range names {
			write(t, r.path(name), name)
			write(t, r.path(name+".md5"), "record")
			s.report(fsnotify.Create, name, name+".md5")
		}
		time.Sleep(time.Hour)
		s.report(fsnotify.Remove, "g.md5") // as if it were removed
		want := []string{"created a", "created b", "created c", "created d", "created e", "created f", "created g"}
		for _, name := range names[:6] {
			time.Sleep(3 * settle)
			must(t, os.Remove(r.path(name)), os.Remove(r.path(name+".md5")))
			s.report(fsnotify.Remove, name, name+".md5")
			want = append(want, "deleted "+name)
		}
		time.Sleep(settle)
		r.expect(t, want...)
		write(t, r.path("unknown"), "")
		s.report(fsnotify.Create, "unknown")
		must(t, os.Remove(r.path("unknown")))
		s.report(fsnotify.Remove, "unknown", "no.md5")
		time.Sleep(4 * settle)
		r.expect(t, append(want, "created g")...)
		if len(removed) != 13 || removed["unknown"]+removed["no.md5"] > 0 {
			t.Errorf("Removed was called with %v", removed)
		}
	})
}
