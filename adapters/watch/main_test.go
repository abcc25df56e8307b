package watch_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/watch"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline bounds each wait. It is long, as the machine may be loaded.
const deadline = 2 * time.Minute

// event is one published event.
type event struct {
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Time       string   `json:"time"`
	Resources  []string `json:"resources"`
	Detail     struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			Size      *int64 `json:"size"`
			ETag      string `json:"etag"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
		Reason       string `json:"reason"`
		DeletionType string `json:"deletion-type"`
	} `json:"detail"`
}

func (e event) key() string { return e.Detail.Object.Key }

func (e event) String() string {
	return strings.ToLower(strings.TrimPrefix(e.DetailType, "Object ")) + " " + e.key()
}

// inbox is a publisher that keeps the events.
type inbox struct {
	mu     sync.Mutex
	events []event
	ids    []string          // of all messages, even of those that failed
	fail   func(n int) error // the error for the nth message, from 1
	hold   chan struct{}     // not nil: each message waits for a token
	news   chan struct{}     // gets a token after each message
	topics map[string]bool   // that messages were published to
}

func newInbox() *inbox {
	return &inbox{news: make(chan struct{}, 1), topics: make(map[string]bool)}
}

func (b *inbox) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		if b.hold != nil {
			select {
			case <-b.hold:
			case <-m.Context().Done():
				return m.Context().Err()
			}
		}
		b.mu.Lock()
		b.ids = append(b.ids, m.UUID)
		b.topics[topic] = true
		var err error
		if b.fail != nil {
			err = b.fail(len(b.ids))
		}
		var e event
		if err == nil {
			err = json.Unmarshal(m.Payload, &e)
		}
		if err == nil {
			b.events = append(b.events, e)
		}
		b.mu.Unlock()
		select {
		case b.news <- struct{}{}:
		default:
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *inbox) Close() error { return nil }

func (b *inbox) all() []event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// lines returns the events as "created KEY" and "deleted KEY".
func (b *inbox) lines() []string {
	lines := []string{}
	for _, e := range b.all() {
		lines = append(lines, e.String())
	}
	return lines
}

// state returns the ETags of the keys that exist according to the events.
func (b *inbox) state() map[string]string {
	state := make(map[string]string)
	for _, e := range b.all() {
		if e.DetailType == "Object Created" {
			state[e.key()] = e.Detail.Object.ETag
		} else {
			delete(state, e.key())
		}
	}
	return state
}

// until waits until the condition holds. It looks after each message.
func (b *inbox) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for !condition() {
		select {
		case <-b.news:
		case <-ctx.Done():
			lines := b.lines()
			t.Fatalf("%s: not within %v; the last of %d events: %q", what, deadline, len(lines), lines[max(0, len(lines)-20):])
		}
	}
}

// untilState waits until the events agree with the files in the folder.
func (b *inbox) untilState(t *testing.T, dir string) {
	t.Helper()
	want := files(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for {
		diff := cmp.Diff(want, b.state())
		if diff == "" {
			return
		}
		select {
		case <-b.news:
		case <-ctx.Done():
			t.Fatalf("the events do not agree with the files (-files +events):\n%s\nthe last events: %q", diff, tail(b.lines()))
		}
	}
}

func tail(lines []string) []string { return lines[max(0, len(lines)-30):] }

// files returns the ETags of the regular files that should be announced, by key.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		key, _ := filepath.Rel(dir, path)
		if !filebucket.IsHidden(filepath.ToSlash(key)) && !skipped(key) {
			found[key] = etag(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func skipped(key string) bool { return strings.HasSuffix(key, ".md5") }

func etag(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return filebucket.VersionOf(info).ETag()
}

// running is a folder that is watched until the end of the test.
type running struct {
	dir    string
	inbox  *inbox
	folder *watch.Folder
	wait   func() error // waits for the end of Run and returns its result
	stop   func()       // ends Run
}

// start watches a folder and returns after its first scan.
func start(t *testing.T, c watch.Config, open func() (watch.Source, error)) *running {
	t.Helper()
	r := begin(t, c, open)
	<-r.folder.Ready()
	return r
}

func begin(t *testing.T, c watch.Config, open func() (watch.Source, error)) *running {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	box, _ := c.Publisher.(*inbox)
	if box == nil {
		box = newInbox()
	}
	c.Bucket, c.Publisher, c.Topic = "inbox", box, "mem://events"
	if c.Skip == nil {
		c.Skip = skipped
	}
	f, err := watch.NewFolder(c)
	if err != nil {
		t.Fatal(err)
	}
	if open != nil {
		f.SetOpen(open)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var result error
	done := make(chan struct{})
	go func() {
		defer close(done)
		result = f.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return &running{c.Dir, box, f, func() error {
		<-done
		return result
	}, cancel}
}

func (r *running) path(key string) string { return filepath.Join(r.dir, filepath.FromSlash(key)) }

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o777))
	must(t, os.WriteFile(path, []byte(content), 0o666))
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func sorted(lines []string) []string { return slices.Sorted(slices.Values(lines)) }

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
