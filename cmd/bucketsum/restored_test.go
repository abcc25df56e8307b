package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestRestoredWithoutNotes: records that have lost their notes still show damage. Neither verify nor backfill takes the
// damaged content for right, and backfill keeps the record.
func TestRestoredWithoutNotes(t *testing.T) {
	dir, bucket := bucketOf(t, map[string]string{"good": "good", "bad": "bad"})
	if _, log, status := sweepRun(t, "backfill", bucket); status != 0 {
		t.Fatal(log)
	}
	name := filepath.Join(dir, "bad")
	was, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, ".bucketsum")); err != nil {
		t.Fatal(err)
	}
	put(t, name, "bat")
	if err := os.Chtimes(name, was.ModTime(), was.ModTime()); err != nil {
		t.Fatal(err)
	}
	record, err := os.ReadFile(name + ".md5")
	if err != nil {
		t.Fatal(err)
	}

	states, status := verified(t, bucket)
	if diff := cmp.Diff(map[string]sweep.State{"good": sweep.NoRecord, "bad": sweep.Mismatch}, states); diff != "" || status != 1 {
		t.Errorf("verify ends with %d: %s", status, diff)
	}
	out, log, status := sweepRun(t, "backfill", bucket)
	if status != 1 || !strings.Contains(out, "mismatch") || !strings.Contains(out, "bad.md5") {
		t.Errorf("backfill ends with %d: %s%s", status, out, log)
	}
	if now, err := os.ReadFile(name + ".md5"); err != nil || string(now) != string(record) {
		t.Errorf("the record of the damaged file is now %q, %v; it was %q", now, err, record)
	}
	states, status = verified(t, bucket)
	if diff := cmp.Diff(map[string]sweep.State{"good": sweep.OK, "bad": sweep.Mismatch}, states); diff != "" || status != 1 {
		t.Errorf("verify after backfill ends with %d: %s", status, diff)
	}
}
