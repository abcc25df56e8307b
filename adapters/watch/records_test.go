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

// Whoever takes away a record, or writes to it, gets a new one.
func TestRecordChanged(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(t *testing.T, r *running, s *script)
		want []string // after "created a"
	}{
		"removed": {func(t *testing.T, r *running, s *script) {
			must(t, os.Remove(r.path("a.md5")))
			s.tell(fsnotify.Remove, "a.md5")
		}, []string{"created a"}},
		"moved away": {func(t *testing.T, r *running, s *script) {
			must(t, os.Rename(r.path("a.md5"), r.path("his")))
			s.tell(fsnotify.Rename, "a.md5")
			s.tell(fsnotify.Create, "his")
		}, []string{"created a", "created his"}},
		"written to, more than once": {func(t *testing.T, r *running, s *script) {
			write(t, r.path("a.md5"), "his own")
			s.tell(fsnotify.Write, "a.md5", "a.md5", "a.md5")
		}, []string{"created a"}},
		"removed, and the object looked at": {func(t *testing.T, r *running, s *script) {
			must(t, os.Remove(r.path("a.md5")))
			s.tell(fsnotify.Remove, "a.md5")
			s.tell(fsnotify.Create, "a") // nothing happened to it
		}, []string{"created a"}},
		"removed with its object": {func(t *testing.T, r *running, s *script) {
			must(t, os.Remove(r.path("a.md5")), os.Remove(r.path("a")))
			s.tell(fsnotify.Remove, "a.md5", "a")
		}, []string{"deleted a"}},
		"removed after its object": {func(t *testing.T, r *running, s *script) {
			must(t, os.Remove(r.path("a")))
			s.tell(fsnotify.Remove, "a")
			time.Sleep(settle)
			must(t, os.Remove(r.path("a.md5"))) // by the pipeline
			s.tell(fsnotify.Remove, "a.md5")
		}, []string{"deleted a"}},
		"replaced, as by the pipeline": {func(t *testing.T, r *running, s *script) {
			write(t, r.path(".bucketsum/tmp/x"), "new")
			must(t, os.Rename(r.path(".bucketsum/tmp/x"), r.path("a.md5")))
			s.tell(fsnotify.Create, "a.md5")
		}, nil},
		"of nothing": {func(t *testing.T, r *running, s *script) {
			s.tell(fsnotify.Remove, "nothing.md5", "no/thing.md5")
		}, nil},
		"of a record": {func(t *testing.T, r *running, s *script) {
			s.tell(fsnotify.Remove, "a.md5.md5")
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, watch.Config{RecordOf: recordOf}, func(t *testing.T, r *running, s *script) {
				write(t, r.path("a"), "a")
				s.tell(fsnotify.Create, "a")
				time.Sleep(settle)
				write(t, r.path("a.md5"), "record")
				s.tell(fsnotify.Create, "a.md5")
				time.Sleep(time.Hour)
				r.expect(t, "created a")
				test.do(t, r, s)
				time.Sleep(time.Hour)
				r.expect(t, append([]string{"created a"}, test.want...)...)
			})
		})
	}
}

// What the system does not tell is found by whoever is asked to look.
func TestLook(t *testing.T) {
	scripted(t, watch.Config{}, func(t *testing.T, r *running, s *script) {
		write(t, r.path("a"), "a")
		s.tell(fsnotify.Create, "a")
		time.Sleep(settle)
		r.expect(t, "created a")
		r.folder.Look("a") // nothing is new
		r.folder.Look("nothing")
		time.Sleep(time.Hour)
		r.expect(t, "created a")
		write(t, r.path("a"), "other")
		r.folder.Look("a")
		time.Sleep(settle)
		r.expect(t, "created a", "created a")
	})
}

// A file that got new rights may be readable now, and a file of the same time and
// size may have another content.
func TestSameTimeAndSize(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := time.Unix(1e9, 0)
	write(t, dir+"/a", "one")
	must(t, os.Chtimes(dir+"/a", at, at))
	r := start(t, watch.Config{Dir: dir, Settle: quick}, nil)
	r.inbox.untilState(t, dir)
	must(t, os.Chmod(dir+"/a", 0o600))
	r.inbox.until(t, "new rights", func() bool { return len(r.inbox.all()) == 2 })
	r.inbox.untilState(t, dir)
	write(t, dir+"/.bucketsum/new", "two")
	must(t, os.Chtimes(dir+"/.bucketsum/new", at, at), os.Rename(dir+"/.bucketsum/new", dir+"/a"))
	r.inbox.until(t, "replaced", func() bool { return len(r.inbox.all()) == 3 })
	r.inbox.untilState(t, dir)
}
