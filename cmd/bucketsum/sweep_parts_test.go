package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPartsTogether: when all parts of a pass have ended, the same command without --shard shows the whole from their reports: the
// table, the exit status and the page. It reads no object: here there are none left.
func TestPartsTogether(t *testing.T) {
	files := make(map[string]string)
	for n := range 20 {
		files[fmt.Sprintf("%c/%d", 'a'+n, n)] = fmt.Sprint("content ", n)
	}
	dir, bucket := bucketOf(t, files)
	_, reports := bucketOf(t, map[string]string{"keep": ""})
	page := filepath.Join(t.TempDir(), "report.html")
	run := func(args ...string) (out, log string, status int) {
		t.Helper()
		return sweepRun(t, append(args, "--reports", reports, bucket)...)
	}
	part := func(command string, n int) (status int) {
		t.Helper()
		out, log, status := run(command, "--pass", command, "--shards", "3", "--shard", fmt.Sprint(n))
		if status != exitOK && status != exitFailed {
			t.Fatalf("part %d of %s ends with %d:\n%s%s", n, command, status, out, log)
		}
		return status
	}
	for n := range 2 { // one has not run
		part("backfill", n)
	}
	if _, log, status := run("backfill", "--pass", "backfill"); status != exitOK || !strings.Contains(log, "All 20 objects have their records.") {
		t.Errorf("backfill, with a part left, ends with %d:\n%s", status, log)
	}

	put(t, filepath.Join(dir, "c/2"), "rotten  2")
	failed := 0
	for n := range 3 {
		if part("verify", n) == exitFailed {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d parts failed, want that of the changed object", failed)
	}
	for name := range files {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	out, log, status := run("verify", "--pass", "verify", "--report", page)
	if status != exitFailed || !strings.HasPrefix(out, "stale       c/2") || !strings.Contains(log, "1 of 20 objects needs attention.") {
		t.Errorf("together they end with %d:\n%s%s", status, out, log)
	}
	html, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(html), "c/2") || strings.Contains(string(html), "stopped early") {
		t.Errorf("the page lacks the object, or a part: %v, %.2000s", err, html)
	}
	if _, err := os.Stat(filepath.Join(strings.TrimPrefix(reports, "file://"), ".bucketsum/passes/summaries/verify.json")); err != nil {
		t.Error(err)
	}
}
