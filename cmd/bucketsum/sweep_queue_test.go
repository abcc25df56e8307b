package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackfillByQueue: backfill --queue waits for the workers, shows their rows, and finds the pass complete when it
// is started again by its name.
func TestBackfillByQueue(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers and workers")
	}
	t.Parallel()
	url, put := folderBucket(t)
	for n := range 300 {
		put(fmt.Sprintf("%02d/%d.jpg", n%10, n))
	}
	urls, reports := jetstreamServer(t).urls(t, "objects"), "file://"+t.TempDir()
	topic := strings.Split(urls.queue, "?")[0]
	start(t, "serve", "--listen", "off", "--queue", urls.queue, "--dead-letter", urls.deadLetters,
		"--bucket", "photos="+url, "--reports", reports, "--shards-to", topic)
	for run, state := range []string{"recorded", "recorded"} {
		out, log, status := sweepRun(t, "backfill", "--queue", topic, "--reports", reports, "--pass", "first", "--format", "json", "photos="+url)
		if status != exitOK || strings.Count(out, `"state":"`+state+`"`) != 300 {
			t.Errorf("run %d ends with %d, %d rows:\n%s", run+1, status, strings.Count(out, "\n"), log)
		}
	}
	for run := range 2 {
		out, log, status := sweepRun(t, "verify", "--queue", topic, "--reports", reports, "--reports-format", "parquet", "--pass", "table", "--format", "json", "photos="+url)
		if status != exitOK || strings.Count(out, `"state":"ok"`) != 300 {
			t.Errorf("run %d with reports in Parquet ends with %d, %d rows:\n%s", run+1, status, strings.Count(out, "\n"), log)
		}
	}
	tables, err := filepath.Glob(strings.TrimPrefix(reports, "file://") + "/.bucketsum/passes/reports/table/photos/*.parquet")
	if err != nil || len(tables) == 0 {
		t.Errorf("found the reports %q, %v; want files of Parquet", tables, err)
	}
	if _, log, status := sweepRun(t, "verify", "--queue", topic, "--reports", reports, "--pass", "table", "photos="+url); status != 2 || !strings.Contains(log, "differs in --reports-format") {
		t.Errorf("the pass in the other form ends with %d: %s", status, log)
	}
	if _, log, status := sweepRun(t, "verify", "photos="+url); status != exitOK || !strings.Contains(log, "All 300 objects are as recorded.") {
		t.Errorf("verify ends with %d:\n%s", status, log)
	}
}
