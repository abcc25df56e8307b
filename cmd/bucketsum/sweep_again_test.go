package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgain: the command that resumes a pass can be pasted into a shell, names the pass, and has no secrets.
func TestAgain(t *testing.T) {
	for _, tc := range []struct {
		args []string
		env  string // BUCKETSUM_PASS
		want string
	}{
		{[]string{"verify", "--reports", "file:///srv/audits", "file:///srv/in box"}, "", `bucketsum verify --reports file:///srv/audits 'file:///srv/in box' --pass spring`},
		{[]string{"verify", "--pass=spring", "it's"}, "", `bucketsum verify --pass=spring 'it'\''s'`},
		{[]string{"verify", "s3://photos"}, "spring", `bucketsum verify s3://photos`},
		{[]string{"backfill", "--queue", "amqp://user:geheim@host/q", "s3://photos"}, "", `run the same command again with --pass spring`},
		{[]string{"backfill", "--pass", "spring", "--queue=amqp://user:geheim@host/q"}, "", `run the same command again`},
	} {
		p := process{args: tc.args, getenv: func(name string) string {
			if name == "BUCKETSUM_PASS" {
				return tc.env
			}
			return ""
		}}
		if got := p.again("spring"); got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.args, got, tc.want)
		}
	}
}

// TestShownAgain: a pass that is shown again ended when it ended, and says that nothing was looked at.
func TestShownAgain(t *testing.T) {
	dir, bucket := bucketOf(t, map[string]string{"a": "a", "b": "b"})
	if _, log, status := sweepRun(t, "backfill", bucket); status != 0 {
		t.Fatal(log)
	}
	folder, page := t.TempDir(), filepath.Join(t.TempDir(), "page.html")
	verify := func() (log, html string) {
		t.Helper()
		_, log, status := sweepRun(t, "verify", "--reports", "file://"+filepath.ToSlash(folder), "--pass", "autumn", "--report", page, bucket)
		if status != 0 {
			t.Fatal(log)
		}
		written, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		return log, string(written)
	}
	const again = "Pass autumn ended at 2020-02-03T04:05:06Z. This shows its reports again: no object was looked at now."
	log, _ := verify()
	if strings.Contains(log, "again") {
		t.Errorf("the pass itself: %s", log)
	}
	var summary map[string]any
	name := filepath.Join(folder, ".bucketsum", "passes", "summaries", "autumn.json")
	text, err := os.ReadFile(name)
	if err != nil || json.Unmarshal(text, &summary) != nil {
		t.Fatalf("%s: %v", text, err)
	}
	summary["ended"] = "2020-02-03T04:05:06Z"
	if text, err = json.Marshal(summary); err != nil {
		t.Fatal(err)
	}
	put(t, name, string(text))
	put(t, filepath.Join(dir, "a"), "changed")
	log, html := verify()
	if !strings.Contains(log, again) || strings.Contains(log, "/s\n") {
		t.Errorf("shown again: %s", log)
	}
	if !strings.Contains(html, "2020-02-03") {
		t.Error("the page does not have the time at which the pass ended")
	}
}

// TestRefusedPass: a command that can never resume the pass prints only why, and leaves reports as they are.
func TestRefusedPass(t *testing.T) {
	_, bucket := bucketOf(t, map[string]string{"a": "1"})
	reports, page := "file://"+filepath.ToSlash(t.TempDir()), filepath.Join(t.TempDir(), "page.html")
	same := []string{"--reports", reports, "--pass", "p", bucket}
	if out, log, status := sweepRun(t, append([]string{"backfill"}, same...)...); status != exitOK {
		t.Fatalf("it ends with %d: %s%s", status, out, log)
	}
	put(t, page, "the last one")
	out, log, status := sweepRun(t, append([]string{"verify", "--report", page, "--sample", "99%", "--records-only"}, same...)...)
	want := "pass p exists, and differs in the command, --records-only, --sample: choose another name by --pass\n"
	if status != 2 || out != "" || !strings.HasSuffix(log, want) || strings.Count(log, "\n") != 1 {
		t.Errorf("it ends with %d: %s%s", status, out, log)
	}
	if files, err := os.ReadDir(filepath.Dir(page)); err != nil || len(files) != 1 {
		t.Errorf("beside the page: %v, %v", files, err)
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != "the last one" {
		t.Errorf("the page is %q, %v", got, err)
	}
}
