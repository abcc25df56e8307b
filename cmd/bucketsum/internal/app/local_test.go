package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/testenv/freeport"
)

// script is a Writer that does the next step when the report has printed its part.
type script struct {
	mu    sync.Mutex
	out   bytes.Buffer
	steps []step
}

type step struct {
	part string
	do   func()
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Write(p)
	for len(s.steps) > 0 && strings.Contains(s.out.String(), s.steps[0].part) {
		s.steps[0].do()
		s.steps = s.steps[1:]
		s.out.WriteString("--\n")
	}
	return len(p), nil
}

// runLocal runs local on a folder until the last step of a script, and returns what it printed after that and its error.
func runLocal(t *testing.T, dir string, c Config, steps ...step) (all, end string, err error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	last := &steps[len(steps)-1]
	do := last.do
	last.do = func() {
		if do != nil {
			do()
		}
		stop()
	}
	out := &script{steps: steps}
	c.Drivers = queue.Drivers{ownQueues{suffix: "-" + t.Name()}}
	err = Local(ctx, LocalConfig{Dir: dir, Settle: 20 * time.Millisecond, Out: out, Worker: c})
	if len(out.steps) > 0 {
		t.Fatalf("there is no %q in\n%s", out.steps[0].part, out.out.String())
	}
	all = out.out.String()
	return all, all[strings.LastIndex(all, "--\n")+3:], err
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(content), 0o666)); err != nil {
		t.Fatal(err)
	}
}

// TestLocalNamesWhatHasNoChecksum expects the summary to name what failed and what was skipped, and the exit of a run in which
// something failed.
func TestLocalNamesWhatHasNoChecksum(t *testing.T) {
	dir, long := t.TempDir(), strings.Repeat("n", 253)
	put(t, dir, ".git/HEAD", "x")
	put(t, dir, "gone.md5", "d41d8cd98f00b204e9800998ecf8427e  gone\n")
	put(t, dir, "a.tmp", "x")
	put(t, dir, "b.tmp", "x")
	put(t, dir, long, "x")
	put(t, dir, "claim", "x")
	put(t, dir, "claim.md5", "d41d8cd98f00b204e9800998ecf8427e  claim\n")
	for _, target := range []string{"nowhere", "/etc"} {
		if err := os.Symlink(target, filepath.Join(dir, "link to "+filepath.Base(target))); err != nil {
			t.Fatal(err)
		}
	}
	all, end, err := runLocal(t, dir, Config{Exclude: []string{"*.tmp"}, Algorithms: []string{"md5", "sha256"}},
		step{"FAILED  nnn", func() {}}, step{"MISMATCH  claim", func() { put(t, dir, "z", "z") }}, step{"  z\n", nil})
	if !errors.Is(err, ErrIncomplete) {
		t.Errorf("the error is %v", err)
	}
	for _, want := range []string{
		"its checksums will be in FILE.md5 and FILE.sha256\n",
		"md5     fbade9e36a3f36d3d676c1b808451dd7         1 B  ",
		"  z\nsha256  594e519ae499312b29433b7dd8a97ff068defcba9755b6d5d00e84c524d67b06\n",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("there is no %q in\n%s", want, all)
		}
	}
	for _, want := range []string{
		"skipped: 2 symbolic links that lead to no file in the folder, such as link to etc\n",
		"skipped: 1 folder of version control: .git\n",
		"skipped: 1 file named like a record, without its file: gone.md5\n",
		"skipped: 2 files that --include or --exclude leave out, such as a.tmp\n",
		`MISMATCH  claim: "claim.md5", which bucketsum did not write, says md5 d41d8cd98f00b204e9800998ecf8427e`,
		": the name of its record would have 260 bytes, which is more than the file system allows: give the file a shorter name, or use --record 'checksums/{alg}/{key}'\n",
		"1 file summed (1 B) since the start ", ", 1 NOT AS CLAIMED, 1 FAILED\n",
	} {
		if !strings.Contains(end, want) {
			t.Errorf("there is no %q in\n%s", want, end)
		}
	}
}

// TestLocalForgetsWhatWasMended expects that a failure is over when its file has another name, another content, or is gone.
func TestLocalForgetsWhatWasMended(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad\xff")
	put(t, dir, "bad\xff", "x")
	put(t, dir, "claim", "x")
	put(t, dir, "claim.md5", "d41d8cd98f00b204e9800998ecf8427e  claim\n")
	put(t, dir, "other", "x")
	put(t, dir, "other.md5", "d41d8cd98f00b204e9800998ecf8427e  other\n")
	remove := func(name string) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	c := Config{}.withDefaults()
	var again []step
	again = append(again,
		step{"FAILED  \"bad\\xff\"", func() {}},
		step{"MISMATCH  claim", func() {}},
		step{"MISMATCH  other", func() {
			if totals := c.Activity.Status().Totals; totals.Failed != 3 || totals.Mismatched != 2 {
				t.Errorf("the status has %+v", totals)
			}
			if err := os.Rename(bad, filepath.Join(dir, "good")); err != nil {
				t.Error(err)
			}
		}},
		step{"  good\n", func() { put(t, dir, "claim", "") }},
		step{"  claim\n", func() { remove("other"); remove("other.md5"); put(t, dir, "last", "x") }},
		step{"  last\n", nil})
	put(t, dir, "foreign.md5", "the user's")
	_, end, err := runLocal(t, dir, c, again...)
	if err != nil || strings.Contains(end, "FAILED") || strings.Contains(end, "CLAIMED") || strings.Contains(end, "MISMATCH") {
		t.Errorf("%v\n%s", err, end)
	}
	if s := c.Activity.Status(); s.Totals.Kept != 1 || s.Totals.Failed != 0 || s.Totals.Mismatched != 0 || len(s.Failures) != 0 {
		t.Errorf("the status is %+v", s)
	}
}

// TestLocalAnswersWithoutItsFolder expects that the HTTP side outlives the folder, says that it is gone, and continues its
// counts when the folder is back.
func TestLocalAnswersWithoutItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "inbox")
	put(t, dir, "a", "12345")
	c := Config{Listen: "127.0.0.1:" + freeport.Find(t)}.withDefaults()
	get := func(path string, status int, parts ...string) {
		t.Helper()
		response, err := http.Get("http://" + c.Listen + path)
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != status {
			t.Errorf("%s: status %d, want %d: %v", path, response.StatusCode, status, err)
		}
		for _, part := range parts {
			if !strings.Contains(string(body), part) {
				t.Errorf("%s lacks %q:\n%s", path, part, body)
			}
		}
	}
	rename := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Error(err)
		}
	}
	_, _, err := runLocal(t, dir, c,
		step{"  a\n", func() { get("/readyz", 200); rename(dir, dir+" moved") }},
		step{"GONE", func() {
			get("/livez", 200)
			get("/readyz", 503, "bucket inbox", "its folder is gone: it was deleted, moved away or unmounted; watching resumes")
			get("/", 200, "Not ready: bucket inbox: its folder is gone")
			get("/v1/status", 200, `"summed":1`)
			get("/v1/dead-letters", 404, "The folder is gone")
			get("/metrics", 200, "bucketsum_bytes_total 5\n", "bucketsum_ready 0\n")
			rename(dir+" moved", dir)
			put(t, dir, "b", "67890")
		}},
		step{"  b\n", func() {
			get("/readyz", 200)
			get("/v1/status", 200, `"summed":2`, `"bytes":10,"current":0`)
			get("/metrics", 200, "bucketsum_bytes_total 10\n", "bucketsum_ready 1\n")
		}})
	if err != nil {
		t.Error(err)
	}
}

// TestLocalStopsAtOnce expects that a stop does not wait for files that take long, and that the next start resumes those with
// checkpoints.
func TestLocalStopsAtOnce(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "big", "")
	if err := os.Truncate(filepath.Join(dir, "big"), 1<<42); err != nil {
		t.Skipf("no sparse files: %v", err)
	}
	var read int64
	var once sync.Once
	started := make(chan struct{})
	c := Config{Resume: handlers.Resume{Above: 1 << 20, Every: 1 << 40}, DrainTimeout: time.Hour}
	c.Observer = pipeline.Observer{Opened: func(r *pipeline.Reading) { read = r.From }, Advanced: func(int) { once.Do(func() { close(started) }) }}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	run := func(ctx context.Context, name string) string {
		var out bytes.Buffer
		c.Drivers = queue.Drivers{ownQueues{suffix: "-" + t.Name() + name}}
		if err := Local(ctx, LocalConfig{Dir: dir, Settle: time.Millisecond, Out: &out, Worker: c}); err != nil {
			t.Error(err)
		}
		return out.String()
	}
	go func() { <-started; stop() }()
	out := run(ctx, "first")
	if !strings.Contains(out, "STOPPED  big: the next start resumes it at ") || !strings.HasSuffix(out, ", 1 left to the next start\n") {
		t.Errorf("the report is\n%s", out)
	}
	started, once = make(chan struct{}), sync.Once{}
	ctx, stop = context.WithCancel(t.Context())
	go func() { <-started; stop() }()
	if out := run(ctx, "second"); read == 0 {
		t.Errorf("the reading was not resumed\n%s", out)
	}
}
