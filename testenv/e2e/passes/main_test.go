// Package passes_test runs bucketsum's passes over existing objects as a user does: on a folder and on a server
// of S3, interrupted, killed, refused, and beside other processes.
package passes_test

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/testenv/program"
)

// objects is how many objects the tests have that kill passes.
var objects = flag.Int("objects", 400, "how many objects TestKilled has")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(program.Exit)) }

// result is how a process has ended.
type result struct {
	status int
	lines  []string
}

// has reports whether one of the lines has a part.
func (r result) has(part string) bool { return strings.Contains(strings.Join(r.lines, "\n"), part) }

// run runs bucketsum to its end.
func run(t *testing.T, environ []string, args ...string) result {
	t.Helper()
	p := program.Options{Environ: environ}.Start(t, program.Build(t), args...)
	for range p.Lines { // to the end
	}
	<-p.Ended
	return result{p.Status(), p.Output()}
}

// bucketURL returns the URL of a folder.
func bucketURL(dir string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// oddNames are names that escaping gets wrong.
var oddNames = []string{"a b", "ö", "line\nbreak", `back\slash`, "*", " lead", "quote'\"", "-dash", "100%", "a?b#c", "x/y/z"}

// content returns the content of object i.
func content(i int) string { return strings.Repeat(fmt.Sprint(i, "\x00"), i%50) }

// TestInterrupted: Ctrl-C ends a verification with its rows kept, and the command that it prints resumes it.
func TestInterrupted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "in")
	for i := range 40 {
		write(t, filepath.Join(dir, fmt.Sprintf("%02d", i)), strings.Repeat("x", 200_000))
	}
	if r := run(t, nil, "backfill", bucketURL(dir)); r.status != 0 {
		t.Fatal(r.lines)
	}
	reports := t.TempDir()
	args := []string{"verify", "--rate", "1MiB/s", "--concurrency", "2", "--format", "json", "--reports", bucketURL(reports), "--quiet=false", bucketURL(dir)}
	p := program.Options{}.Start(t, program.Build(t), args...)
	p.Poll("a plan", func() bool {
		plans, err := filepath.Glob(filepath.Join(reports, ".bucketsum/passes/plans/*"))
		return err == nil && len(plans) == 1
	})
	if status := p.Stop(syscall.SIGINT); status != 2 {
		t.Errorf("an interrupted verification ends with %d, want 2", status)
	}
	const says = "Interrupted; to resume: bucketsum "
	var command string
	for _, line := range p.Output() {
		if _, after, ok := strings.Cut(line, says); ok {
			command = strings.TrimSuffix(after, ".")
		}
	}
	if command == "" {
		t.Fatalf("no line says %q", says)
	}
	again := strings.Fields(command)
	again[2] = "1GiB/s"
	r := run(t, nil, again...)
	rows := 0
	for _, line := range r.lines {
		if strings.HasPrefix(line, "{") {
			rows++
		}
	}
	if r.status != 0 || rows != 40 || !r.has("All 40 objects are as recorded.") {
		t.Errorf("continued: status %d, %d rows\n%s", r.status, rows, strings.Join(r.lines, "\n"))
	}
}

// TestSideBySide: two backfills and a worker on one folder leave one right record for each object.
func TestSideBySide(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "in")
	for i := range 200 {
		write(t, filepath.Join(dir, fmt.Sprintf("%03d", i)), content(i))
	}
	for _, name := range oddNames {
		write(t, filepath.Join(dir, name), name)
	}
	local := program.Options{}.Start(t, program.Build(t), "local", "--listen", "off", dir)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if r := run(t, nil, "backfill", bucketURL(dir)); r.status != 0 || !r.has("All 211 objects have their records.") {
				t.Errorf("backfill ends with %d:\n%s", r.status, strings.Join(r.lines, "\n"))
			}
		})
	}
	both.Wait()
	local.Until(1, program.Contains("is the bucket")) // a signal before that would end it in another way
	if status := local.Stop(syscall.SIGTERM); status != 0 {
		t.Errorf("local ends with %d", status)
	}
	if r := run(t, nil, "verify", "--strict", bucketURL(dir)); r.status != 0 || !r.has("All 211 objects are as recorded.") {
		t.Errorf("verify ends with %d:\n%s", r.status, strings.Join(r.lines, "\n"))
	}
}
