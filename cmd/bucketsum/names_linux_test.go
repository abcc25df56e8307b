package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestPassNamesOfOtherBytes: files whose names are not UTF-8 are told apart by scripts, and a pass over them is resumed.
func TestPassNamesOfOtherBytes(t *testing.T) {
	_, bucket := bucketOf(t, map[string]string{"a\xfe": "1", "a\xff": "2", "plain": "3"})
	_, reports := bucketOf(t, map[string]string{"keep": ""})
	want := []string{"a\xfe", "a\xff", "plain"}
	for range 2 {
		out, log, status := sweepRun(t, "backfill", "--format", "json", "--reports", reports, "--pass", "p", bucket)
		if status != exitFailed || !strings.Contains(log, "2 of 3 objects need attention.") {
			t.Errorf("backfill ends with %d:\n%s", status, log)
		}
		var keys []string
		for line := range strings.Lines(out) {
			var r struct {
				Key   string
				Bytes []byte `json:"key_base64"`
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			if r.Bytes != nil {
				r.Key = string(r.Bytes)
			}
			keys = append(keys, r.Key)
		}
		if !slices.Equal(keys, want) {
			t.Errorf("rows of %q, want %q", keys, want)
		}
	}

	// A list has the bytes as they are, and what is missing in the bucket is told with them.
	list := filepath.Join(t.TempDir(), "MD5SUMS")
	put(t, list, "eccbc87e4b5ce2fe28308fd9f2a7baf3  plain\neccbc87e4b5ce2fe28308fd9f2a7baf3  a\xfd\n")
	out, _, _ := sweepRun(t, "verify", "--format", "json", "--against", list, bucket)
	var last sweep.Row
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.State != sweep.Missing || last.Key != "a\xfd" {
		t.Errorf("the last row is %s, %v", lines[len(lines)-1], err)
	}

	if _, log, status := sweepRun(t, "verify", "--reports", reports, "--exclude", "a\xfe", bucket); status != exitUsage || !strings.Contains(log, "not UTF-8") {
		t.Errorf("a glob that a plan cannot keep: %d, %s", status, log)
	}
	if _, log, status := sweepRun(t, "verify", "\xff="+bucket); status != exitUsage || !strings.Contains(log, "not UTF-8") {
		t.Errorf("a bucket's name: %d, %s", status, log)
	}
}
