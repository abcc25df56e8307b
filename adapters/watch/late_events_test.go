package watch_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/watch"
)

// The system's own queue overflows while the watcher takes nothing from it.
func TestSystemQueueOverflows(t *testing.T) {
	t.Parallel()
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	n, convErr := strconv.Atoi(strings.TrimSpace(string(limit)))
	if err != nil || convErr != nil || n > 50_000 {
		if os.Getenv("CI") != "" {
			t.Fatalf("the system's queue has the length %q: %v; set fs.inotify.max_queued_events to its default, 16384", limit, err)
		}
		t.Skip("the system's queue is too long, or has an unknown length")
	}
	log := newLog()
	r, release := startBlocked(t, watch.Config{Log: log.logger()})
	// Alternating, as the system merges equal reports in a row.
	for i := range n {
		must(t, os.Chtimes(r.path("hold"), time.Time{}, time.Unix(int64(i), 0)))
		must(t, os.Chmod(r.dir, 0o777))
	}
	write(t, r.path("sub/late"), "x")
	must(t, os.Remove(r.path("hold")))
	release()
	r.inbox.untilState(t, r.dir)
	if got := log.with("overflow"); len(got) != 1 {
		t.Errorf("logged %q", got)
	}
}

// startBlocked watches a folder and then blocks the watcher, so that the system's
// reports wait until release is called.
func startBlocked(t *testing.T, c watch.Config) (r *running, release func()) {
	t.Helper()
	held, released := make(chan struct{}), make(chan struct{})
	var once sync.Once
	c.Settle = quick
	c.Skip = func(key string) bool {
		if key == "hold" {
			once.Do(func() {
				close(held)
				<-released
			})
		}
		return false
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	r = start(t, c, nil)
	r.inbox.untilState(t, c.Dir)
	write(t, r.path("hold"), "")
	<-held
	return r, func() { close(released) }
}

// The scan of a new folder finds a folder in it that is still watched by its old
// path.
func TestFolderMovedBeforeReport(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(t *testing.T, dir string){
		"into a new folder": func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir+"/p", 0o777), os.Rename(dir+"/q/x", dir+"/p/x"))
		},
		"over a known folder": func(t *testing.T, dir string) {
			must(t, os.Rename(dir+"/q/x", dir+"/moved"), os.RemoveAll(dir+"/q/y"), os.Rename(dir+"/q", dir+"/p"), os.Rename(dir+"/moved", dir+"/p/x"))
		},
		"exchanged": func(t *testing.T, dir string) {
			must(t, os.Rename(dir+"/q/x", dir+"/q/z"), os.Rename(dir+"/q/y", dir+"/q/x"), os.Rename(dir+"/q/z", dir+"/q/y"), os.Rename(dir+"/q", dir+"/p"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir+"/q/x/deep/file", "x")
			write(t, dir+"/q/y/file", "yy")
			r, release := startBlocked(t, watch.Config{Dir: dir})
			move(t, dir)
			release()
			r.inbox.untilState(t, dir)
			write(t, dir+"/p/x/later", "x")
			write(t, dir+"/p/x/deep/later", "x")
			r.inbox.untilState(t, dir)
		})
	}
}
