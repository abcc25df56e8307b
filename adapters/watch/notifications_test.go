package watch_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/watch"
)

func TestSlowCopy(t *testing.T) {
	withFakeSource(t, watch.Config{}, func(t *testing.T, r *running, s *fakeSource) {
		for i := range 10 {
			write(t, r.path("big"), strings.Repeat("x", i+1))
			s.report(fsnotify.Write, "big")
			time.Sleep(settle - time.Millisecond)
			r.expect(t)
		}
		time.Sleep(time.Millisecond)
		r.expect(t, "created big")
		if e := r.inbox.all()[0]; e.Detail.Object.ETag != etag(t, r.path("big")) || *e.Detail.Object.Size != 10 {
			t.Errorf("announced %+v", e)
		}
		time.Sleep(time.Hour)
		r.expect(t, "created big")
	})
}

// The system does not report the writes.
func TestUnreportedWrites(t *testing.T) {
	withFakeSource(t, watch.Config{}, func(t *testing.T, r *running, s *fakeSource) {
		write(t, r.path("big"), "x")
		s.report(fsnotify.Create, "big")
		for i := range 10 {
			time.Sleep(settle - time.Millisecond)
			write(t, r.path("big"), strings.Repeat("x", i+2))
			time.Sleep(time.Millisecond)
			r.expect(t)
		}
		time.Sleep(settle)
		r.expect(t, "created big")
	})
}

func TestTemporaryFileIsRenamed(t *testing.T) {
	withFakeSource(t, watch.Config{}, func(t *testing.T, r *running, s *fakeSource) {
		temp := ".big.aB3dE5"
		write(t, r.path(temp), "x")
		s.report(fsnotify.Create, temp)
		s.report(fsnotify.Write, temp)
		time.Sleep(settle - 1)
		must(t, os.Rename(r.path(temp), r.path("big")))
		s.report(fsnotify.Rename, temp)
		s.report(fsnotify.Create, "big")
		time.Sleep(time.Hour)
		r.expect(t, "created big")

		write(t, r.path(temp), "y")
		s.report(fsnotify.Create, temp)
		time.Sleep(time.Hour)
		r.expect(t, "created big", "created "+temp) // a temporary file that stays is a file
	})
}

func TestChangesWhileSettling(t *testing.T) {
	// Each test begins with a known file a.
	tests := map[string]struct {
		do   func(t *testing.T, r *running, s *fakeSource)
		want []string
	}{
		"created and deleted": {func(t *testing.T, r *running, s *fakeSource) {
			write(t, r.path("new"), "x")
			s.report(fsnotify.Create, "new")
			must(t, os.Remove(r.path("new")))
			s.report(fsnotify.Remove, "new")
		}, nil},
		"created and deleted, unreported": {func(t *testing.T, r *running, s *fakeSource) {
			write(t, r.path("new"), "x")
			s.report(fsnotify.Create, "new")
			must(t, os.Remove(r.path("new")))
		}, nil},
		"rewritten and deleted": {func(t *testing.T, r *running, s *fakeSource) {
			write(t, r.path("a"), "other")
			s.report(fsnotify.Write, "a")
			must(t, os.Remove(r.path("a")))
			s.report(fsnotify.Remove, "a")
		}, []string{"deleted a"}},
		"deleted and made again": {func(t *testing.T, r *running, s *fakeSource) {
			must(t, os.Remove(r.path("a")))
			s.report(fsnotify.Remove, "a")
			time.Sleep(settle / 2)
			write(t, r.path("a"), "other")
			s.report(fsnotify.Create, "a")
		}, []string{"created a"}},
		"moved away and back": {func(t *testing.T, r *running, s *fakeSource) {
			must(t, os.Rename(r.path("a"), r.path("b")))
			s.report(fsnotify.Rename, "a")
			s.report(fsnotify.Create, "b")
			must(t, os.Rename(r.path("b"), r.path("a")))
			s.report(fsnotify.Rename, "b")
			s.report(fsnotify.Create, "a")
		}, []string{"created a"}}, // its ctime has changed, so it may have new content
		"deleted, later made again": {func(t *testing.T, r *running, s *fakeSource) {
			must(t, os.Remove(r.path("a")))
			s.report(fsnotify.Remove, "a")
			time.Sleep(settle)
			synctest.Wait()
			write(t, r.path("a"), "a")
			s.report(fsnotify.Create, "a")
		}, []string{"deleted a", "created a"}},
		"renamed": {func(t *testing.T, r *running, s *fakeSource) {
			must(t, os.Rename(r.path("a"), r.path("b")))
			s.report(fsnotify.Rename, "a")
			s.report(fsnotify.Create, "b")
		}, []string{"deleted a", "created b"}},
		"a folder in its place": {func(t *testing.T, r *running, s *fakeSource) {
			must(t, os.Remove(r.path("a")), os.Mkdir(r.path("a"), 0o777))
			write(t, r.path("a/b"), "x")
			s.report(fsnotify.Remove, "a")
			s.report(fsnotify.Create, "a")
		}, []string{"created a/b", "deleted a"}},
		"reported too often": {func(t *testing.T, r *running, s *fakeSource) {
			s.report(fsnotify.Write, "a", "a", "nothing", ".", "..", "../outside", ".bucketsum/x")
			s.report(fsnotify.Create|fsnotify.Chmod, "a", "nothing")
			s.report(fsnotify.Remove, "a", "nothing")
		}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			withFakeSource(t, watch.Config{}, func(t *testing.T, r *running, s *fakeSource) {
				write(t, r.path("a"), "a")
				s.report(fsnotify.Create, "a")
				time.Sleep(settle)
				r.expect(t, "created a")
				test.do(t, r, s)
				time.Sleep(time.Hour)
				synctest.Wait()
				got := r.inbox.lines()[1:]
				if slices.Contains(test.want, "created a/b") {
					slices.Sort(got) // the order of different keys is free
				}
				if diff := cmp.Diff(append([]string{}, test.want...), got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A file that exists at the start may have a record. So its deletion is announced
// even if the file itself never was.
func TestDeletedBeforeAnnounced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a", "a")
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSource(dir)
		r := start(t, watch.Config{Dir: dir, Settle: settle}, s.Open)
		must(t, os.Remove(dir+"/a"))
		s.report(fsnotify.Remove, "a")
		time.Sleep(settle)
		r.expect(t, "deleted a")
	})
}

func TestLostReports(t *testing.T) {
	for name, miss := range map[string]func(*fakeSource){
		"overflow": func(s *fakeSource) { s.errors <- fsnotify.ErrEventOverflow },
		"twice":    func(s *fakeSource) { s.errors <- fsnotify.ErrEventOverflow; s.errors <- errors.New("read") },
		"closed":   func(s *fakeSource) { close(s.events) },
		"moved":    func(s *fakeSource) { s.report(fsnotify.Rename, ".") },
	} {
		t.Run(name, func(t *testing.T) {
			withFakeSource(t, watch.Config{}, func(t *testing.T, r *running, s *fakeSource) {
				for _, name := range []string{"same", "changed", "deleted", "sub/deleted", "moved/x"} {
					write(t, r.path(name), name)
				}
				s.report(fsnotify.Create, "same", "changed", "deleted", "sub", "moved")
				time.Sleep(settle)
				synctest.Wait()
				before := len(r.inbox.lines())
				write(t, r.path("changed"), "x")
				write(t, r.path("new/new"), "x")
				must(t, os.Remove(r.path("deleted")), os.RemoveAll(r.path("sub")), os.Rename(r.path("moved"), r.path("to")))
				miss(s)
				time.Sleep(2 * settle)
				synctest.Wait()
				want := []string{"created changed", "created new/new", "created to/x", "deleted deleted", "deleted moved/x", "deleted sub/deleted"}
				if diff := cmp.Diff(want, sorted(r.inbox.lines()[before:])); diff != "" {
					t.Error(diff)
				}
				if s.opened != 2 {
					t.Errorf("the source was opened %d times, want 2", s.opened)
				}
				if got, want := keys(s.watched), []string{r.dir, r.path("new"), r.path("to")}; !slices.Equal(got, want) {
					t.Errorf("watched are %q, want %q", got, want)
				}
			})
		})
	}
}

func TestWatchLimit(t *testing.T) {
	log := newLog()
	withFakeSource(t, watch.Config{Log: log.logger()}, func(t *testing.T, r *running, s *fakeSource) {
		s.set(func() { s.limit = 2 })
		for i := range 4 {
			write(t, r.path(fmt.Sprintf("%d/a", i)), "x")
		}
		s.report(fsnotify.Create, "0", "1", "2", "3")
		time.Sleep(settle)
		r.expect(t, "created 0/a", "created 1/a", "created 2/a", "created 3/a")
		if got := log.with("fs.inotify.max_user_watches"); len(got) != 1 {
			t.Errorf("the log says %q", got)
		}
		write(t, r.path("2/b"), "x")
		write(t, r.path("3/deep/c"), "x")
		must(t, os.Remove(r.path("1/a")))
		time.Sleep(6 * time.Second)
		synctest.Wait()
		want := []string{"created 2/b", "created 3/deep/c", "deleted 1/a"}
		if diff := cmp.Diff(want, sorted(r.inbox.lines()[4:])); diff != "" {
			t.Error(diff)
		}
		s.set(func() { s.limit = -1 })
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := len(s.watched); got != 6 {
			t.Errorf("%d folders are watched: %q", got, keys(s.watched))
		}
		if got := log.with("all folders are watched again"); len(got) != 1 {
			t.Errorf("the log says %q", got)
		}
		calls := s.calls
		time.Sleep(time.Hour)
		synctest.Wait()
		if s.calls != calls {
			t.Error("folders are still scanned at intervals")
		}
	})
}

func TestNoSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a", "a")
	write(t, dir+"/sub/b", "b")
	log := newLog()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSource(dir)
		s.openErr = fmt.Errorf("inotify_init: %w", syscall.EMFILE)
		r := start(t, watch.Config{Dir: dir, Settle: settle, Rescan: time.Second, Log: log.logger()}, s.Open)
		time.Sleep(settle)
		r.expect(t, "created a", "created sub/b")
		if got := log.with("fs.inotify.max_user_instances"); len(got) != 1 {
			t.Errorf("the log says %q", got)
		}
		must(t, os.Remove(dir+"/a"))
		write(t, dir+"/sub/c", "c")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"created sub/c", "deleted a"}, sorted(r.inbox.lines()[2:])); diff != "" {
			t.Error(diff)
		}
		s.set(func() { s.openErr = nil })
		time.Sleep(time.Second)
		synctest.Wait()
		write(t, dir+"/d", "d")
		s.report(fsnotify.Create, "d")
		time.Sleep(settle)
		synctest.Wait()
		if got := r.inbox.lines(); got[len(got)-1] != "created d" {
			t.Errorf("announced %q", got)
		}
	})
}

// The loss of the folder must not look like the deletion of its files.
func TestFolderLostUnreported(t *testing.T) {
	withFakeSource(t, watch.Config{}, func(t *testing.T, r *running, s *fakeSource) {
		write(t, r.path("a"), "a")
		s.report(fsnotify.Create, "a")
		time.Sleep(settle)
		r.expect(t, "created a")
		must(t, os.RemoveAll(r.dir))
		s.report(fsnotify.Remove, "a")
		if err := r.wait(); err == nil || !strings.Contains(err.Error(), "deleted, moved away") {
			t.Errorf("Run returned %v", err)
		}
		r.expect(t, "created a")
	})
}

func TestIdleMakesNoCalls(t *testing.T) {
	withFakeSource(t, watch.Config{}, func(t *testing.T, r *running, s *fakeSource) {
		write(t, r.path("sub/a"), "a")
		s.report(fsnotify.Create, "sub")
		time.Sleep(settle)
		synctest.Wait()
		calls := s.calls
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if s.calls != calls {
			t.Errorf("%d calls while nothing happened", s.calls-calls)
		}
	})
}

// What the system does not report is found by the sweep, which does not watch the folders anew.
func TestSweep(t *testing.T) {
	withFakeSource(t, watch.Config{Sweep: time.Hour}, func(t *testing.T, r *running, s *fakeSource) {
		write(t, r.path("sub/a"), "a")
		s.report(fsnotify.Create, "sub")
		time.Sleep(time.Minute)
		calls := s.calls
		write(t, r.path("sub/a"), "changed")
		write(t, r.path("b"), "new")
		time.Sleep(30 * time.Minute)
		r.expect(t, "created sub/a")
		time.Sleep(30 * time.Minute)
		r.expect(t, "created sub/a", "created b", "created sub/a")
		if s.calls != calls {
			t.Errorf("%d folders were watched anew", s.calls-calls)
		}
	})
}
