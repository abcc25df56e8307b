package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// often saves checkpoints often enough for small test objects.
var often = handlers.Resume{Above: 100, Every: 64}

// big returns content without repetitions.
func big(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:n]
}

// finished checks that the object has its record and that no checkpoint is left.
func (l *large) finished(t *testing.T, key, content string) {
	t.Helper()
	if got, want := l.recorded(key), md5sum(content); got != want {
		t.Errorf("%s has the record %q, want %q", key, got, want)
	}
	if left := l.left(); left != nil {
		t.Errorf("checkpoints are left: %v", left)
	}
}

// TestKilled kills the process again and again after a few bytes.
func TestKilled(t *testing.T) {
	content := big(1000)
	for _, every := range []int64{1, 64, 300, 999, 5000} {
		for after := int64(1); after < 1000; after += 83 {
			l := newLarge()
			o := l.put("a", content)
			kills := 0
			for dead := true; dead; {
				handle, _ := l.worker(t, &announced{}, handlers.Resume{Above: 100, Every: every})
				begin := l.read
				l.onByte = func(context.Context, int64) {
					if kills < 4 && l.read-begin >= after {
						kills++
						panic("SIGKILL")
					}
				}
				var err error
				if dead, err = killed(func() error { return handle(t.Context(), created(o)) }); err != nil {
					t.Fatal(err)
				}
			}
			l.finished(t, "a", content)
			// What was read since the last checkpoint, and no more, is read again.
			if most := 1000 + int64(kills)*min(every+7, after+7); l.read > most {
				t.Errorf("every %d, killed %d times after %d: %d bytes were read, more than %d", every, kills, after, l.read, most)
			}
		}
	}
}

// TestStopped ends the work in other ways: bytes that were read are not read again.
func TestStopped(t *testing.T) {
	content := big(1000)
	for name, tc := range map[string]struct {
		cause error
		saved bool
	}{
		"drain timeout": {pipeline.ErrDrainTimeout, true},
		"lease lost":    {pipeline.ErrLeaseLost, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLarge()
			o := l.put("a", content)
			ctx, cancel := context.WithCancelCause(t.Context())
			l.onByte = func(_ context.Context, offset int64) {
				if offset >= 500 {
					cancel(tc.cause)
				}
			}
			handle, _ := l.worker(t, &announced{}, handlers.Resume{Above: 100, Every: 1 << 20})
			if err := handle(ctx, created(o)); !errors.Is(err, tc.cause) {
				t.Errorf("got %v", err)
			}
			if saved := l.left() != nil; saved != tc.saved {
				t.Errorf("saved: %v", saved)
			}
			l.onByte = nil
			handle, log := l.worker(t, &announced{}, often)
			if err := handle(t.Context(), created(o)); err != nil {
				t.Fatal(err)
			}
			l.finished(t, "a", content)
			if tc.saved && (l.read != 1000 || log.count("resumes at a checkpoint") != 1) {
				t.Errorf("%d bytes were read", l.read)
			}
		})
	}
}

// TestBrokenRead shows that a retry in the same process resumes, too.
func TestBrokenRead(t *testing.T) {
	content := big(1000)
	l := newLarge()
	o := l.put("a", content)
	handle, _ := l.worker(t, &announced{}, handlers.Resume{Above: 100, Every: 1 << 20})
	l.short = 300
	if err := handle(t.Context(), created(o)); pipeline.Classify(err) != pipeline.ClassTransient {
		t.Fatalf("got %v", err)
	}
	l.short = 0
	for range 2 {
		if err := handle(t.Context(), created(o)); err != nil {
			t.Fatal(err)
		}
	}
	l.finished(t, "a", content)
}

// TestBadCheckpoint shows that a damaged or foreign checkpoint is logged, not used, and replaced.
func TestBadCheckpoint(t *testing.T) {
	content := big(1000)
	good := func(change func(l *large)) []byte {
		l := newLarge()
		if change != nil {
			change(l)
		}
		o := l.put("a", content)
		l.onByte = func(_ context.Context, offset int64) {
			if offset > 700 {
				panic("SIGKILL")
			}
		}
		handle, _ := l.worker(t, &announced{}, often)
		if dead, err := killed(func() error { return handle(t.Context(), created(o)) }); !dead {
			t.Fatal(err)
		}
		return l.checkpoints["a"]
	}
	whole := good(nil)
	cases := map[string][]byte{
		"garbage":                 []byte("garbage"),
		"empty":                   {},
		"longer":                  append(bytes.Clone(whole), ' '),
		"older version of object": good(func(l *large) { l.put("a", big(1200)) }),
		"older format":            bytes.Replace(whole, []byte("checkpoint 2 "), []byte("checkpoint 1 "), 1),
		"newer format":            bytes.Replace(whole, []byte("checkpoint 2 "), []byte("checkpoint 3 "), 1),
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 1
		cases[fmt.Sprint("changed byte ", i)] = bad
		cases[fmt.Sprint("cut at byte ", i)] = whole[:i]
	}
	for name, state := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLarge()
			o := l.put("a", content)
			l.checkpoints["a"] = state
			handle, log := l.worker(t, &announced{}, often)
			if err := handle(t.Context(), created(o)); err != nil {
				t.Fatal(err)
			}
			l.finished(t, "a", content)
			if l.read != 1000 || log.count("level=WARN msg=\"checkpoint ignored") != 1 || l.saves == 0 {
				t.Errorf("%d bytes read, %d checkpoints saved, log %s", l.read, l.saves, log.text.String())
			}
		})
	}
}

// TestOtherAlgorithms resumes with algorithms that the checkpoint lacks.
func TestOtherAlgorithms(t *testing.T) {
	content := big(1000)
	l := newLarge()
	o := l.put("a", content)
	ctx, cancel := context.WithCancel(t.Context())
	l.onByte = func(_ context.Context, offset int64) {
		if offset > 500 {
			cancel()
		}
	}
	handle, _ := l.worker(t, &announced{}, often)
	_ = handle(ctx, created(o))
	l.onByte = nil
	handle, log := l.worker(t, &announced{}, often, func(c *handlers.Config) { c.Algorithms = []string{"md5", "sha1"} })
	if err := handle(t.Context(), created(o)); err != nil || log.count("checkpoint ignored") != 1 {
		t.Errorf("%v, %s", err, log.text.String())
	}
	l.finished(t, "a", content)
}

// TestOverwrittenBetween replaces the object between two readings.
func TestOverwrittenBetween(t *testing.T) {
	for _, unversioned := range []bool{false, true} {
		l := newLarge()
		l.unversioned = unversioned
		first := l.put("a", big(1000))
		l.onByte = func(_ context.Context, offset int64) {
			if offset > 500 {
				panic("SIGKILL")
			}
		}
		handle, _ := l.worker(t, &announced{}, often)
		_, _ = killed(func() error { return handle(t.Context(), created(first)) })
		second := l.put("a", big(1500))
		l.onByte = nil
		if err := handle(t.Context(), created(first)); err != nil {
			t.Errorf("got %v", err)
		}
		if left := l.left(); left != nil {
			t.Errorf("checkpoints are left: %v", left)
		}
		if err := handle(t.Context(), created(second)); err != nil {
			t.Fatal(err)
		}
		l.finished(t, "a", big(1500))
	}
}

// TestOldEvent delivers the event of an old version during the work on the new one.
func TestOldEvent(t *testing.T) {
	l := newLarge()
	l.unversioned = true
	first := l.put("a", big(1000))
	second := l.put("a", big(1500))
	l.onByte = func(_ context.Context, offset int64) {
		if offset > 500 {
			panic("SIGKILL")
		}
	}
	handle, log := l.worker(t, &announced{}, often)
	_, _ = killed(func() error { return handle(t.Context(), created(second)) })
	l.onByte = nil
	if err := handle(t.Context(), created(first)); err != nil || log.count("resumes at a checkpoint") != 1 {
		t.Errorf("%v, %s", err, log.text.String())
	}
	l.finished(t, "a", big(1500))
}

// TestGone deletes the object between two readings.
func TestGone(t *testing.T) {
	l := newLarge()
	o := l.put("a", big(1000))
	l.onByte = func(_ context.Context, offset int64) {
		if offset > 500 {
			panic("SIGKILL")
		}
	}
	handle, _ := l.worker(t, &announced{}, often)
	_, _ = killed(func() error { return handle(t.Context(), created(o)) })
	l.drop("a")
	if err := handle(t.Context(), created(o)); !errors.Is(err, pipeline.ErrMissing) || l.left() != nil {
		t.Errorf("%v, left: %v", err, l.left())
	}
}

// TestUnknownVersion resumes after an event without version and size.
func TestUnknownVersion(t *testing.T) {
	content := big(1000)
	l := newLarge()
	l.put("a", content)
	e := pipeline.Event{Kind: pipeline.Created, Object: pipeline.Object{Bucket: bucketName, Key: "a", Size: pipeline.UnknownSize}}
	l.onByte = func(_ context.Context, offset int64) {
		if offset > 500 {
			panic("SIGKILL")
		}
	}
	handle, _ := l.worker(t, &announced{}, often)
	_, _ = killed(func() error { return handle(t.Context(), e) })
	l.onByte = nil
	if err := handle(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	l.finished(t, "a", content)
	if l.read > 1000+64 {
		t.Errorf("%d bytes read", l.read)
	}
}

// TestTwoWorkers lets two workers read one object at the same time.
func TestTwoWorkers(t *testing.T) {
	content := big(20000)
	l := newLarge()
	o := l.put("a", content)
	var both sync.WaitGroup
	for range 2 {
		handle, _ := l.worker(t, &announced{}, often)
		both.Go(func() {
			if err := handle(t.Context(), created(o)); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	// The last worker may have saved a checkpoint after the other one had finished. The next delivery,
	// which a killed worker leaves in the queue, deletes it.
	handle, _ := l.worker(t, &announced{}, often)
	if err := handle(t.Context(), created(o)); err != nil {
		t.Error(err)
	}
	l.finished(t, "a", content)
}

// TestNoCheckpoints shows which objects have no checkpoints.
func TestNoCheckpoints(t *testing.T) {
	for name, tc := range map[string]struct {
		resume     handlers.Resume
		algorithms []string
		warnings   int
	}{
		"small":        {handlers.Resume{Above: 1000, Every: 1}, []string{"md5"}, 0},
		"off":          {handlers.Resume{Above: 1}, []string{"md5"}, 0},
		"unresumable":  {often, []string{"md5", "blake3"}, 1},
		"unresumable2": {often, []string{"xxh3"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLarge()
			handle, log := l.worker(t, &announced{}, tc.resume, func(c *handlers.Config) { c.Algorithms = tc.algorithms })
			for _, key := range []string{"a", "b"} {
				if err := handle(t.Context(), created(l.put(key, big(1000)))); err != nil {
					t.Fatal(err)
				}
			}
			if n := log.count("level=WARN"); l.saves != 0 || n != tc.warnings {
				t.Errorf("%d checkpoints, %d warnings: %s", l.saves, n, log.text.String())
			}
		})
	}
}

// TestLoadFails shows that a transient error is retried, and that a permanent one ends in a new reading.
func TestLoadFails(t *testing.T) {
	content := big(1000)
	l := newLarge()
	o := l.put("a", content)
	l.loadErr = errors.New("the network")
	handle, log := l.worker(t, &announced{}, often)
	if err := handle(t.Context(), created(o)); !errors.Is(err, l.loadErr) || l.read != 0 {
		t.Errorf("%v, %d bytes read", err, l.read)
	}
	l.loadErr = pipeline.Permanent(errors.New("denied"))
	if err := handle(t.Context(), created(o)); err != nil || log.count("checkpoint ignored") != 1 {
		t.Errorf("%v, %s", err, log.text.String())
	}
	if diff := cmp.Diff(md5sum(content), l.recorded("a")); diff != "" {
		t.Error(diff)
	}
}

// TestCheckpointsOfWhatIsAtHand shows that bytes at hand are read as such between checkpoints, too, and not
// beyond the next checkpoint.
func TestCheckpointsOfWhatIsAtHand(t *testing.T) {
	if md5lanes.Kernels()[0] == "generic" {
		t.Skip("this machine has no kernel")
	}
	content := big(1000)
	l := newLarge()
	l.atHand = true
	o := l.put("a", content)
	handle, _ := l.worker(t, &announced{}, often)
	if err := handle(t.Context(), created(o)); err != nil {
		t.Fatal(err)
	}
	l.finished(t, "a", content)
	if l.read != 1000 || l.fetched < 500 || l.saves != 1000/64 {
		t.Errorf("%d bytes were read, %d of them at hand, with %d checkpoints", l.read, l.fetched, l.saves)
	}
}
