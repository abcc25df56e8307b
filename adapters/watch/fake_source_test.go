package watch_test

import (
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/watch"
)

// settle is the settle time of tests in a synctest bubble.
const settle = 500 * time.Millisecond

// fakeSource is a source that reports what the test tells it to.
type fakeSource struct {
	dir    string
	events chan fsnotify.Event
	errors chan error

	mu      sync.Mutex
	limit   int             // of watches; negative: none
	watched map[string]bool // by path
	calls   int
	opened  int
	openErr error
}

func newFakeSource(dir string) *fakeSource {
	return &fakeSource{dir: dir, limit: -1}
}

// Open opens the source. A folder calls it again after lost reports.
func (s *fakeSource) Open() (watch.Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.openErr != nil {
		return nil, s.openErr
	}
	s.opened++
	s.events, s.errors = make(chan fsnotify.Event), make(chan error)
	s.watched = make(map[string]bool)
	return s, nil
}

func (s *fakeSource) Add(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.limit >= 0 && len(s.watched) >= s.limit && !s.watched[path] {
		return syscall.ENOSPC
	}
	s.watched[path] = true
	return nil
}

func (s *fakeSource) Remove(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watched, path)
	return nil
}

func (s *fakeSource) Events() <-chan fsnotify.Event { return s.events }
func (s *fakeSource) Errors() <-chan error          { return s.errors }
func (s *fakeSource) Close() error                  { return nil }

func (s *fakeSource) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// report sends reports of one kind and waits until the folder has handled them.
func (s *fakeSource) report(op fsnotify.Op, keys ...string) {
	for _, key := range keys {
		s.events <- fsnotify.Event{Name: filepath.Join(s.dir, key), Op: op}
	}
	synctest.Wait()
}

// withFakeSource runs a test in a synctest bubble, with a fake source.
func withFakeSource(t *testing.T, c watch.Config, do func(t *testing.T, r *running, s *fakeSource)) {
	t.Helper()
	t.Parallel()
	c.Dir, c.Settle = t.TempDir(), settle // the folder is made outside of the bubble
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSource(c.Dir)
		r := start(t, c, s.Open)
		do(t, r, s)
	})
}

// expect fails unless exactly these events were announced so far.
func (r *running) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(append([]string{}, want...), r.inbox.lines()); diff != "" {
		t.Fatalf("announced (-want +got):\n%s", diff)
	}
}
