package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// sweepRunIn runs a command with an input.
func sweepRunIn(t *testing.T, in string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, log bytes.Buffer
	status = dispatch(t.Context(), process{stdin: strings.NewReader(in), stdout: &out, stderr: &log, getenv: func(string) string { return "" }}, args)
	return out.String(), log.String(), status
}

// TestInventoryKeys: a pass over a list of keys works on these objects only. Keys whose object is gone are told, and are no
// failure.
func TestInventoryKeys(t *testing.T) {
	dir, bucket := bucketOf(t, map[string]string{"a": "1", "b c": "2", "new\nline": "3", "not listed": "4"})
	out, log, status := sweepRunIn(t, "b c\x00new\nline\x00gone\x00a.md5\x00", "backfill", "--inventory", "-", "-0", "--format", "json", bucket)
	if status != exitOK || strings.Count(out, `"state":"recorded"`) != 2 || !strings.Contains(log, "objects of the inventory are not in the bucket any more") || !strings.Contains(log, "objects=1") {
		t.Fatalf("backfill ends with %d:\n%s%s", status, out, log)
	}
	want := map[string]sweep.State{"a": sweep.NoRecord, "b c": sweep.OK, "new\nline": sweep.OK, "not listed": sweep.NoRecord}
	if states, _ := verified(t, bucket); !cmp.Equal(want, states) {
		t.Errorf("the records (-want +got):\n%s", cmp.Diff(want, states))
	}
	list := filepath.Join(t.TempDir(), "keys.txt")
	put(t, list, "b c\nnot listed\n")
	put(t, filepath.Join(dir, "b c"), "X")
	states, status := verified(t, "--inventory", list, "--include", "b*", bucket)
	if diff := cmp.Diff(map[string]sweep.State{"b c": sweep.Stale}, states); diff != "" || status != 1 {
		t.Errorf("verify ends with %d (-want +got):\n%s", status, diff)
	}
}

// s3Inventory writes an inventory of S3 into a folder, of files with so many rows each, and returns the path of its manifest.
// The inventory says of every object that it had the ETag "old".
func s3Inventory(t *testing.T, dir, bucket string, keys []string, perFile int) string {
	t.Helper()
	var files []string
	for part := range slices.Chunk(keys, perFile) {
		var text, packed bytes.Buffer
		for _, key := range part {
			fmt.Fprintf(&text, "%q,%q,\"1\",\"old\"\n", bucket, key)
		}
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(text.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("lists/data/%d.csv.gz", len(files))
		put(t, filepath.Join(dir, name), packed.String())
		files = append(files, fmt.Sprintf(`{"key":%q,"size":%d}`, name, packed.Len()))
	}
	path := filepath.Join(dir, "lists", "2026-11-29T01-00Z", "manifest.json")
	put(t, path, fmt.Sprintf(`{"sourceBucket":%q,"fileFormat":"CSV","fileSchema":"Bucket, Key, Size, ETag","files":[%s]}`, bucket, strings.Join(files, ",")))
	return path
}

// TestInventoryShards: processes with an index divide the rows of an inventory, another one puts the whole together, and a
// pass is not resumed with another inventory.
func TestInventoryShards(t *testing.T) {
	files := make(map[string]string)
	var keys []string
	for i := range 200 {
		keys = append(keys, fmt.Sprintf("k%03d", i))
		files[keys[i]] = keys[i]
	}
	_, bucket := bucketOf(t, files)
	manifest := s3Inventory(t, t.TempDir(), "inbox", append(keys, "gone"), 70)
	_, reports := bucketOf(t, map[string]string{"x": ""})
	args := []string{"--inventory", manifest, "--reports", reports, "--pass", "p", "--format", "json", bucket}
	for _, i := range []string{"0", "1", "2"} {
		if out, log, status := sweepRun(t, append([]string{"backfill", "--shards", "3", "--shard", i}, args...)...); status != exitOK && status != exitFailed {
			t.Fatalf("shard %s ends with %d:\n%s%s", i, status, out, log)
		}
	}
	out, log, status := sweepRun(t, append([]string{"backfill"}, args...)...)
	if got := strings.Count(out, `"state":"recorded"`); status != exitOK || got != 200 {
		t.Errorf("backfill ends with %d and %d rows, want 200:\n%s", status, got, log)
	}
	if states, status := verified(t, bucket); status != exitOK || len(states) != 200 {
		t.Errorf("verify ends with %d and %d rows", status, len(states))
	}
	other := s3Inventory(t, t.TempDir(), "inbox", keys[:5], 70)
	if _, log, status := sweepRun(t, append([]string{"backfill", "--inventory", other}, args[2:]...)...); status != exitFailed || !strings.Contains(log, "differs in --inventory") {
		t.Errorf("with another inventory it ends with %d: %s", status, log)
	}
}

// TestInventoryRefused: what cannot be is refused before anything is read.
func TestInventoryRefused(t *testing.T) {
	_, bucket := bucketOf(t, map[string]string{"a": "1"})
	for want, args := range map[string][]string{
		"an inventory is of one bucket":           {"--inventory", "-", bucket, "other=" + bucket},
		"upload it to the bucket of --reports":    {"--inventory", "-", "--queue", "mem://q", "--reports", bucket, bucket},
		"and name its URL":                        {"--inventory", "keys.txt", "--queue", "mem://q", "--reports", bucket, bucket},
		"put it into the folder of --reports":     {"--inventory", "file:///keys.txt", "--queue", "mem://q", "--reports", bucket, bucket},
		"--reports-format: it is about":           {"--reports-format", "parquet", bucket},
		"--null: it is about the keys":            {"-0", bucket},
		"is not the URL of an object":             {"--inventory", "s3://lists", bucket},
		"unknown scheme":                          {"--inventory", "ftp://lists/x", bucket},
		`it is the inventory of bucket \"films\"`: {"--inventory", s3Inventory(t, t.TempDir(), "films", []string{"a"}, 1), bucket},
		"choose CSV or Apache Parquet":            {"--inventory", "x.orc", bucket},
		"standard input is that of --inventory":   {"--inventory", "-", "--against", "-", bucket},
		"no such file":                            {"--inventory", filepath.Join(t.TempDir(), "none"), bucket},
	} {
		out, log, status := sweepRun(t, append([]string{"verify"}, args...)...)
		if status == exitOK || out != "" || !strings.Contains(log, strings.ReplaceAll(want, `\"`, `"`)) {
			t.Errorf("%q ends with %d: %s%s, want %q", args, status, out, log, want)
		}
	}
}
