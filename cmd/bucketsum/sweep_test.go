package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// sweepRun runs a command and returns what it prints.
func sweepRun(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return sweepRunWith(t, t.Context(), func(string) string { return "" }, args...)
}

func sweepRunWith(t *testing.T, ctx context.Context, getenv func(string) string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, log bytes.Buffer
	status = dispatch(ctx, process{stdin: strings.NewReader(""), stdout: &out, stderr: &log, getenv: getenv}, args)
	return out.String(), log.String(), status
}

// verified runs verify with JSON and returns the states by key, and the exit status.
func verified(t *testing.T, args ...string) (map[string]sweep.State, int) {
	t.Helper()
	out, log, status := sweepRun(t, append([]string{"verify", "--format", "json"}, args...)...)
	states := make(map[string]sweep.State)
	for line := range strings.Lines(out) {
		var r sweep.Row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if states[r.Key] != "" {
			t.Errorf("%q has two rows", r.Key)
		}
		states[r.Key] = r.State
	}
	if len(states) == 0 {
		t.Log(log)
	}
	return states, status
}

// bucketOf returns the URL of a new folder with files.
func bucketOf(t *testing.T, files map[string]string) (dir, bucket string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "inbox")
	for name, content := range files {
		put(t, filepath.Join(dir, name), content)
	}
	return dir, (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// except returns the states that are not ok.
func except(states map[string]sweep.State, ok sweep.State) map[string]sweep.State {
	rest := make(map[string]sweep.State)
	for key, s := range states {
		if s != ok {
			rest[key] = s
		}
	}
	return rest
}

// TestVerifyFinds: of many files, verify names exactly those that are not as recorded.
func TestVerifyFinds(t *testing.T) {
	files := make(map[string]string)
	for _, d := range []string{"a", "b/c", "ö ä"} {
		for i := range 30 {
			files[filepath.Join(d, strings.Repeat("x", i+1))] = strings.Repeat(d, i+1)
		}
	}
	for _, name := range []string{"flipped", "truncated", "replaced", "replaced with record", "deleted", "record removed"} {
		files[name] = "content of " + name
	}
	dir, bucket := bucketOf(t, files)
	if out, log, status := sweepRun(t, "backfill", bucket); status != exitOK || out != "" || !strings.Contains(log, "All 96 objects have their records.") {
		t.Fatalf("backfill ends with %d:\n%s%s", status, out, log)
	}
	if states, status := verified(t, bucket); status != exitOK || len(states) != 96 || len(except(states, sweep.OK)) != 0 {
		t.Fatalf("before: %d, %v", status, states)
	}

	path := func(name string) string { return filepath.Join(dir, name) }
	was, err := os.Stat(path("flipped"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, path("flipped"), "content of flippEd")
	if err := os.Chtimes(path("flipped"), was.ModTime(), was.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path("truncated"), 5); err != nil {
		t.Fatal(err)
	}
	put(t, path("replaced"), "new content")
	put(t, path("replaced with record"), "new content")
	if _, log, status := sweepRun(t, "backfill", "--include", "replaced with record", bucket); status != exitOK {
		t.Fatalf("backfill of one file: %d, %s", status, log)
	}
	for _, name := range []string{"deleted", "record removed.md5"} {
		if err := os.Remove(path(name)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]sweep.State{
		"flipped": sweep.Mismatch, "truncated": sweep.Stale, "replaced": sweep.Stale,
		"deleted": sweep.Orphan, "record removed": sweep.NoRecord,
	}
	states, status := verified(t, bucket)
	if diff := cmp.Diff(want, except(states, sweep.OK)); diff != "" || status != exitFailed || len(states) != 96 {
		t.Errorf("verify ends with %d, of %d objects: %s", status, len(states), diff)
	}
	delete(want, "flipped") // which only shows when it is read
	states, status = verified(t, "--records-only", bucket)
	if diff := cmp.Diff(want, except(states, sweep.OK)); diff != "" || status != exitFailed {
		t.Errorf("verify --records-only ends with %d: %s", status, diff)
	}
	out, log, status := sweepRun(t, "verify", bucket)
	for _, line := range []string{"mismatch    flipped: its record says md5 ", "stale       truncated", "orphan      deleted", "no-record   record removed"} {
		if !strings.Contains(out, line) {
			t.Errorf("the text lacks %q:\n%s", line, out)
		}
	}
	if strings.Count(out, "\n") != 5 || status != exitFailed || !strings.Contains(log, "5 of 96 objects need attention.") {
		t.Errorf("verify ends with %d:\n%s%s", status, out, log)
	}
}

// TestBackfillReadsNothingTwice: the second run opens no file that has its record. Reading a file would set its time
// of access, which is in the past here.
func TestBackfillReadsNothingTwice(t *testing.T) {
	files := map[string]string{"a": "1", "d/b": "2", "d/e/c": ""}
	_, bucket := bucketOf(t, files)
	for i, want := range []string{"recorded             3", "ok                   3"} {
		_, log, status := sweepRun(t, "backfill", "--algorithms", "md5,sha256", bucket)
		if status != exitOK || !strings.Contains(log, want) || strings.Contains(log, " read, ") != (i == 0) {
			t.Errorf("run %d ends with %d:\n%s", i+1, status, log)
		}
	}
	out, _, status := sweepRun(t, "backfill", "--dry-run", "--format", "json", "--algorithms", "md5,sha256,sha1", bucket)
	want := `{"all":{"objects":3,"bytes":2},"recorded":{"objects":0,"bytes":0},"archived":{"objects":0,"bytes":0},"unreadable":0,"read":{"":{"objects":3,"bytes":2}},"requests":{"list":0,"get":0,"head":0,"put":0},"total_usd":0}` + "\n"
	if out != want || status != exitOK {
		t.Errorf("the dry run ends with %d: %s", status, out)
	}
}

// TestFolderPaths: the path of a folder stands for its URL, with or without a name, and whatever characters it has.
func TestFolderPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	const odd = "100% #1?=x"
	put(t, filepath.Join(odd, "a"), "1")
	put(t, "file", "1")
	for _, arg := range []string{"./" + odd, "photos=" + odd, "photos=./" + odd, filepath.Join("file", "..", odd)} {
		if out, log, status := sweepRun(t, "backfill", "--format", "json", arg); status != exitOK || strings.Count(out, `"key":"a"`) != 1 {
			t.Errorf("backfill %q ends with %d: %s%s", arg, status, out, log)
		}
	}
	if states, status := verified(t, "./"+odd); status != exitOK || states["a"] != sweep.OK {
		t.Errorf("verify ends with %d: %v", status, states)
	}
	for arg, want := range map[string]string{"./file": "is a file", "photos=": "is neither a URL nor an existing folder", "./none": "there is no folder"} {
		if _, log, status := sweepRun(t, "verify", arg); status != exitUsage || !strings.Contains(log, want) {
			t.Errorf("verify %q ends with %d: %s", arg, status, log)
		}
	}
}

// TestSweepUsage: all mistakes of a command line come in one message.
func TestSweepUsage(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"backfill"}, []string{"no bucket is named"}},
		{[]string{"backfill", "s4://x", "/no/inbox", "--algorithms", "md6", "--record", "x", "--include", "[", "--on-mismatch", "fail"},
			[]string{`BUCKET-URL: unknown scheme "s4"`, `BUCKET-URL: there is no folder "/no/inbox"`, "--algorithms: ", "--record: ", `--include: "[" is not a glob`}},
		{[]string{"backfill", "file:///a", "--price", "x=1", "--price", "get=-1"}, []string{`--price: "x=1" is not a price`, `"get=-1" is not a price`}},
		{[]string{"verify", "file:///a/x", "file:///b/x"}, []string{`are named "x"`}},
		{[]string{"verify", "file:///a", "--sample", "5"}, []string{`--sample: "5" is not a share`}},
		{[]string{"verify", "file:///a", "--older-than", "90"}, []string{`--older-than: "90" is not an age`}},
		{[]string{"verify", "file:///a", "--records-only", "--rate", "1MiB/s", "--budget", "1GiB"}, []string{"--rate: it bounds what is read", "--budget: it bounds what is read"}},
	} {
		out, log, status := sweepRun(t, tc.args...)
		if status != exitUsage || out != "" || !strings.HasSuffix(log, " --help\n") {
			t.Errorf("%q ends with %d: %s", tc.args, status, log)
		}
		for _, want := range tc.want {
			if !strings.Contains(log, want) {
				t.Errorf("%q: %q is missing in: %s", tc.args, want, log)
			}
		}
	}
}

// TestSweepStatuses: a bucket that is not there is a failure of a backfill, and cannot be checked.
func TestSweepStatuses(t *testing.T) {
	for command, want := range map[string]int{"backfill": 1, "verify": 2} {
		_, log, status := sweepRun(t, command, "file:///nosuch/bucket")
		if status != want || !strings.HasPrefix(log, "bucketsum "+command+": ") || !strings.Contains(log, "/nosuch/bucket") {
			t.Errorf("%s ends with %d, want %d: %s", command, status, want, log)
		}
	}
}

// TestVerifyBudget: each run reads what was not checked for the longest time, as far as the budget reaches.
func TestVerifyBudget(t *testing.T) {
	files := map[string]string{"a": "0123456789", "b": "0123456789", "c": "0123456789", "d": "0123456789"}
	_, bucket := bucketOf(t, files)
	if _, log, status := sweepRun(t, "backfill", bucket); status != exitOK {
		t.Fatal(log)
	}
	seen := make(map[string]sweep.State)
	for range 2 {
		states, status := verified(t, "--budget", "20", "--concurrency", "1", bucket)
		if len(states) != 2 || status != exitOK {
			t.Errorf("verify ends with %d: %v", status, states)
		}
		for key, s := range states {
			seen[key] = s
		}
	}
	if len(seen) != 4 {
		t.Logf("two runs of half of the budget saw %v: within an hour, the order does not count", seen)
	}
	if states, _ := verified(t, "--older-than", "1h", bucket); len(states) != 0 {
		t.Errorf("all were checked within the hour, but are verified: %v", states)
	}
}

// TestVerifyAgainst compares a folder with a list that md5sum wrote before files were changed.
func TestVerifyAgainst(t *testing.T) {
	dir, bucket := bucketOf(t, map[string]string{
		"same": "1", "in/other\nline": "2", "changed": "3", "renamed to": "4", "extra": "5", "same as missing": "6", "in/skip.tmp": "7",
	})
	list := filepath.Join(t.TempDir(), "MD5SUMS")
	put(t, list, strings.Join([]string{
		sumOf([]byte("1")) + "  ./same", `\` + sumOf([]byte("2")) + `  in/other\nline`, sumOf([]byte("x")) + "  changed", sumOf([]byte("4")) + "  renamed from",
		sumOf([]byte("y")) + "  missing", sumOf([]byte("z")) + "  in/gone.tmp", "this is no line",
	}, "\n")+"\n")
	want := map[string]sweep.State{
		"same": sweep.OK, "in/other\nline": sweep.OK, "changed": sweep.Mismatch, "renamed to": sweep.Moved, "extra": sweep.New,
		"same as missing": sweep.New, "missing": sweep.Missing,
	}
	page, premis := filepath.Join(t.TempDir(), "report.html"), filepath.Join(t.TempDir(), "premis.xml")
	states, status := verified(t, "--against", list, "--exclude", "*.tmp", "--report", page, "--premis", premis, bucket)
	if diff := cmp.Diff(want, states); diff != "" || status != exitFailed {
		t.Errorf("verify ends with %d: %s", status, diff)
	}
	for file, text := range map[string]string{page: "renamed to", premis: "fixity check"} {
		if content, err := os.ReadFile(file); err != nil || !strings.Contains(string(content), text) {
			t.Errorf("%s: %v, %d bytes without %q", file, err, len(content), text)
		}
	}
	states, status = verified(t, "--against", list, "--prefix", "in/", "--exclude", "*.tmp", bucket)
	want = map[string]sweep.State{"in/other\nline": sweep.OK, "in/same": sweep.Missing, "in/changed": sweep.Missing, "in/renamed from": sweep.Missing, "in/missing": sweep.Missing}
	if diff := cmp.Diff(want, states); diff != "" || status != exitFailed {
		t.Errorf("below a prefix, verify ends with %d: %s", status, diff)
	}
	_, log, status := sweepRun(t, "verify", "--against", list, "--strict", bucket)
	if status != 2 || !strings.Contains(log, "lines that are not of its form: 1; the first is line 7") {
		t.Errorf("a strict verify ends with %d: %s", status, log)
	}
	for _, bad := range []string{filepath.Join(dir, "extra"), filepath.Join(dir, "nosuch"), "file:///nosuch", "s4://x/y"} {
		if _, log, status := sweepRun(t, "verify", "--against", bad, bucket); status != 2 || !strings.Contains(log, "--against "+bad+": ") {
			t.Errorf("against %s, verify ends with %d: %s", bad, status, log)
		}
	}
}

// TestPassInParts: processes with an index share a pass over several buckets, with records of odd layouts; a last one
// shows all of it, and reads nothing again.
func TestPassInParts(t *testing.T) {
	files := map[string]string{"a": "1", "d/b": "2", "d/e/line\nbreak": "3", "ö ": "4", "f": ""}
	_, one := bucketOf(t, files)
	_, two := bucketOf(t, files)
	_, records := bucketOf(t, map[string]string{"README": "records are here"})
	reports := "file://" + filepath.ToSlash(t.TempDir())
	for _, layout := range [][]string{{"--record", "{dir}/.sums/{base}.{alg}"}, {"--record-bucket", records, "--algorithms", "md5,sha256"}} {
		args := append(layout, "one="+one, "two="+two)
		if _, log, status := sweepRun(t, append([]string{"backfill"}, args...)...); status != exitOK || !strings.Contains(log, "All 10 objects have their records.") {
			t.Fatalf("%q: backfill ends with %d:\n%s", layout, status, log)
		}
		args = append(args, "--reports", reports, "--format", "json", "--pass", "audit"+layout[0])
		parts := 0
		for shard := range 3 {
			out, log, status := sweepRun(t, append([]string{"verify", "--shards", "3", "--shard", fmt.Sprint(shard)}, args...)...)
			if parts += strings.Count(out, "\n"); status != exitOK {
				t.Errorf("%q: part %d ends with %d:\n%s", layout, shard, status, log)
			}
		}
		out, log, status := sweepRun(t, append([]string{"verify"}, args...)...)
		if n := strings.Count(out, `"state":"ok"`); n != 10 || parts != 10 || status != exitOK {
			t.Errorf("%q: the parts have %d rows, the whole has %d and ends with %d:\n%s", layout, parts, n, status, log)
		}
	}
}

// TestUsersChecksumFiles: backfill and verify find the same about checksum files of a user's own, and verify adopts none.
func TestUsersChecksumFiles(t *testing.T) {
	dir, bucket := bucketOf(t, map[string]string{
		"right": "r", "right.md5": "4B43B0AEE35624CD95B910189B3DC231", "wrong": "w", "wrong.md5": strings.Repeat("0", 32) + "  wrong\n",
	})
	want := map[string]sweep.State{"right": sweep.NoRecord, "wrong": sweep.Mismatch}
	states, status := verified(t, bucket)
	if diff := cmp.Diff(want, states); diff != "" || status != exitFailed {
		t.Errorf("verify ends with %d: %s", status, diff)
	}
	out, _, _ := sweepRun(t, "verify", bucket)
	for _, text := range []string{
		"wrong.md5 says md5 " + strings.Repeat("0", 32) + ", the content has f1290186a5d0b1ceab27f4e77c0c5d68", `"right.md5", which bucketsum did not write, is right: backfill adopts it`,
	} {
		if !strings.Contains(out, text) {
			t.Errorf("verify does not say %q:\n%s", text, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".bucketsum")); !os.IsNotExist(err) {
		t.Errorf("verify has left something: %v", err)
	}
	if out, _, status := sweepRun(t, "backfill", bucket); status != exitFailed || !strings.Contains(out, "mismatch    wrong: wrong.md5 says md5 000") {
		t.Errorf("backfill ends with %d:\n%s", status, out)
	}
	want["right"] = sweep.OK
	if states, _ := verified(t, bucket); !cmp.Equal(states, want) {
		t.Errorf("after the backfill: %v", states)
	}
}

// TestPassCleansUp: what a killed process left half-written in a folder is removed by the next pass, once no live process can have
// it under way.
func TestPassCleansUp(t *testing.T) {
	dir, bucket := bucketOf(t, map[string]string{"a": "content"})
	kept, reports := bucketOf(t, map[string]string{"keep": ""})
	for _, args := range [][]string{{"backfill", "--reports", reports, bucket}, {"verify", "--reports", reports, bucket}} {
		for _, in := range []string{dir, kept} {
			temp := filepath.Join(in, ".bucketsum", "tmp")
			put(t, filepath.Join(temp, "OLD"), "half a rec")
			put(t, filepath.Join(temp, "NEW"), "half a rec")
			long := time.Now().Add(-2 * time.Hour)
			if err := os.Chtimes(filepath.Join(temp, "OLD"), long, long); err != nil {
				t.Fatal(err)
			}
		}
		if _, log, status := sweepRun(t, args...); status != exitOK {
			t.Fatalf("%s ends with %d: %s", args[0], status, log)
		}
		for _, in := range []string{dir, kept} {
			if left, err := filepath.Glob(filepath.Join(in, ".bucketsum", "tmp", "*")); err != nil || len(left) != 1 || filepath.Base(left[0]) != "NEW" {
				t.Errorf("%s leaves %q, %v; want what was just written", args[0], left, err)
			}
		}
	}
}
