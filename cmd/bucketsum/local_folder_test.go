package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestLocalBroadFolders expects that a folder that is hardly meant is refused without --yes.
func TestLocalBroadFolders(t *testing.T) {
	above := t.TempDir()
	home := filepath.Join(above, "home", "user")
	write(t, home, "file", nil)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(home, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	for dir, want := range map[string]string{
		"":    "DIR is empty",
		"/":   "the whole file system",
		"//.": "the whole file system",
	} {
		status, _, stderr := call(t, nil, "local", "--listen", "off", dir)
		if status != exitUsage || strings.Count(stderr, "\n") != 2 || !strings.Contains(stderr, want) || (dir != "") != strings.Contains(stderr, "--yes") {
			t.Errorf("local %q: status %d, %q; want %q", dir, status, stderr, want)
		}
	}
	if got := filesIn(t, above); !slices.Equal(got, []string{"home/user/file"}) {
		t.Errorf("files are %q", got)
	}
	// A service may have its data in its home.
	r := startLocal(t, link)
	r.Until(1, isSummed)
	r.Stop(syscall.SIGTERM)
	wantRecords(t, home, []string{"file"})
}

// TestLocalGlobs expects that a glob without a slash matches at any depth, and one with a
// slash the whole key.
func TestLocalGlobs(t *testing.T) {
	names := []string{"a.raw", "a.tmp", "b/c/d.raw", "b/c/e.tmp", "b/cache/f.raw", "cache/g.raw", "top/h.raw", "b/top/i.raw", "x.txt"}
	for name, tc := range map[string]struct {
		flags []string
		want  []string
	}{
		"exclude": {[]string{"--exclude", "*.tmp", "--exclude", "cache", "--exclude", "top/*"}, []string{"a.raw", "b/c/d.raw", "b/top/i.raw", "x.txt"}},
		"include": {[]string{"--include", "*.raw", "--exclude", "b/c/*"}, []string{"a.raw", "b/cache/f.raw", "cache/g.raw", "top/h.raw", "b/top/i.raw"}},
		"folder":  {[]string{"--include", "c"}, []string{"b/c/d.raw", "b/c/e.tmp"}},
		"any":     {[]string{"--include", "**/*.tmp"}, []string{"a.tmp", "b/c/e.tmp"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, name := range names {
				write(t, dir, name, []byte(name))
			}
			r := startLocal(t, dir, append(tc.flags, "--log-level", "info")...)
			seen := 0
			r.Until(len(names), func(line string) bool {
				done := isSummed(line) || strings.Contains(line, "excluded by configuration")
				if done {
					seen++
				}
				return done
			})
			r.Stop(syscall.SIGTERM)
			got := recordsIn(t, dir)
			for i := range got {
				got[i] = strings.TrimSuffix(got[i], ".md5")
			}
			slices.Sort(got)
			slices.Sort(tc.want)
			if !slices.Equal(got, tc.want) {
				t.Errorf("records are of %q, want %q", got, tc.want)
			}
		})
	}
}

// TestLocalLeavesRepositories expects that git works undisturbed in the folder, and that an
// --include that names .git includes it.
func TestLocalLeavesRepositories(t *testing.T) {
	tool, err := exec.LookPath("git")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	write(t, dir, "before/file", []byte("f"))
	write(t, dir, "sub/.svn/wc.db", nil)
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(tool, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
			"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	r := startLocal(t, dir)
	r.Until(1, isSummed)
	git("init", "-q")
	var last string
	for _, name := range []string{"a", "b", "c"} {
		write(t, dir, name, contentOf(name))
		git("add", "-A")
		git("commit", "-q", "-m", name)
		git("branch", "with-"+name)
		r.Until(1, isSummed)
	}
	git("add", "-A")
	git("commit", "-q", "--allow-empty", "-m", "the records") // a slow git has added them all before
	if last = git("status", "--porcelain"); last != "" {
		t.Errorf("git status: %s", last)
	}
	git("fsck", "--strict")
	r.Stop(syscall.SIGTERM)
	private := regexp.MustCompile(`(^|/)\.(git|svn)/.*\.md5$`)
	for _, name := range filesIn(t, dir) {
		if private.MatchString(name) {
			t.Errorf("there is a record %s", name)
		}
	}
	again := startLocal(t, dir, "--include", ".git")
	again.Until(1, isSummed)
	again.Stop(syscall.SIGTERM)
	if !slices.ContainsFunc(filesIn(t, dir), private.MatchString) {
		t.Error("--include .git has made no record")
	}
}
