package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/testenv/terminal"
)

// TestLocalAsks expects a question at a terminal before the home folder is used.
func TestLocalAsks(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	stopped, stop := context.WithCancel(t.Context())
	stop() // local ends as soon as it has begun
	for answer, want := range map[string]int{"\n": exitFailed, "no\n": exitFailed, "y\n": exitOK} {
		user, program := terminal.Open(t, 80)
		if _, err := user.WriteString(answer); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		p := process{stdin: program, stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
		status := dispatch(stopped, p, []string{"local", "--listen", "off", home})
		_, err := os.Stat(filepath.Join(home, ".bucketsum"))
		if status != want || !strings.Contains(errs.String(), "[y/N]") || (err == nil) != (want == exitOK) {
			t.Errorf("answer %q: status %d, %q, made .bucketsum: %v; want status %d", answer, status, errs.String(), err == nil, want)
		}
		os.RemoveAll(filepath.Join(home, ".bucketsum"))
	}
}

// TestLocalAsksAboutBroadFolders expects the question for other names of the home folder, and for folders above it.
func TestLocalAsksAboutBroadFolders(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home", "user")
	write(t, home, "file", nil)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(home, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	for dir, want := range map[string]string{
		"/":                       "the whole file system",
		link:                      "your home folder",
		filepath.Dir(home) + "//": "a folder that your home folder is in",
		home + "/../../home/user": "your home folder",
	} {
		user, program := terminal.Open(t, 80)
		if _, err := user.WriteString("n\n"); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		p := process{stdin: program, stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
		status := dispatch(t.Context(), p, []string{"local", "--listen", "off", dir})
		if status != exitFailed || !strings.Contains(errs.String(), want) || !strings.Contains(errs.String(), "[y/N]") {
			t.Errorf("local %q: status %d, %q; want %q", dir, status, errs.String(), want)
		}
	}
	if got := filesIn(t, filepath.Dir(home)); !slices.Equal(got, []string{"user/file"}) {
		t.Errorf("files are %q", got)
	}
}
