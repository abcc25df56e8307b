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

// settle is the settle time of tests in which time is not real.
const settle = 500 * time.Millisecond

// script is a source that tells what the test says.
type script struct {
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

func newScript(dir string) *script {
	return &script{dir: dir, limit: -1}
}

// Open is given to a folder; it may call it again.
func (s *script) Open() (watch.Source, error) {
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

func (s *script) Add(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.limit >= 0 && len(s.watched) >= s.limit && !s.watched[path] {
		return syscall.ENOSPC
	}
	s.watched[path] = true
	return nil
}

func (s *script) Remove(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watched, path)
	return nil
}

func (s *script) Events() <-chan fsnotify.Event { return s.events }
func (s *script) Errors() <-chan error          { return s.errors }
func (s *script) Close() error                  { return nil }

func (s *script) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// tell sends events of one kind.
func (s *script) tell(op fsnotify.Op, keys ...string) {
	for _, key := range keys {
		s.events <- fsnotify.Event{Name: filepath.Join(s.dir, key), Op: op}
	}
	synctest.Wait()
}

// scripted runs a test in which time is not real and only the script tells
// what happens.
func scripted(t *testing.T, c watch.Config, do func(t *testing.T, r *running, s *script)) {
	t.Helper()
	t.Parallel()
	c.Dir, c.Settle = t.TempDir(), settle // real, outside of the bubble
	synctest.Test(t, func(t *testing.T) {
		s := newScript(c.Dir)
		r := start(t, c, s.Open)
		do(t, r, s)
	})
}

// expect fails if anything else was announced so far.
func (r *running) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(append([]string{}, want...), r.inbox.lines()); diff != "" {
		t.Fatalf("announced (-want +got):\n%s", diff)
	}
}
