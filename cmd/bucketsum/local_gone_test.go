package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketsum/bucketsum/testenv/program"
)

// TestLocalFolderGone expects that the process notices when its folder is removed or moved
// away, says so, and resumes when there is a folder again.
func TestLocalFolderGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "above", "inbox")
	r := startLocal(t, dir)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	back := func(name string) {
		t.Helper()
		r.Until(1, program.Contains("is there again"))
		r.Until(1, program.Contains("is the bucket"))
		write(t, dir, name, []byte(name))
		r.Until(1, isSummed)
	}
	write(t, dir, "first", nil)
	r.Until(1, isSummed)
	do(os.RemoveAll(dir))
	r.Until(1, program.Contains("GONE"))
	do(os.Mkdir(dir, 0o777))
	back("remade")
	do(os.Rename(filepath.Dir(dir), filepath.Dir(dir)+" moved")) // nothing is reported for the folder itself
	r.Until(1, program.Contains("GONE"))
	do(os.Rename(filepath.Dir(dir)+" moved", filepath.Dir(dir)))
	back("moved back")
	do(os.Rename(dir, dir+" old"))
	do(os.Mkdir(dir, 0o777))
	r.Until(1, program.Contains("GONE"))
	back("another")
	do(os.RemoveAll(dir))
	r.Until(1, program.Contains("GONE"))
	if status := r.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	wantRecords(t, dir+" old", []string{"remade", "moved back"})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder was made again: %v", err)
	}
}

// TestLocalTwice expects that a second process on the folder says so and ends, and that a
// killed one leaves no lock behind.
func TestLocalTwice(t *testing.T) {
	dir := t.TempDir()
	first := startLocal(t, dir)
	write(t, dir, "a", nil)
	first.Until(1, isSummed)
	status, _, stderr := call(t, nil, "local", "--listen", "off", dir)
	want := fmt.Sprintf("another process watches this folder: process %d; stop it", first.PID())
	if status != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
		t.Errorf("status %d, %q; want %q", status, stderr, want)
	}
	first.Stop(syscall.SIGKILL)
	next := startLocal(t, dir)
	write(t, dir, "b", nil)
	next.Until(1, isSummed)
	next.Stop(syscall.SIGTERM)
	wantRecords(t, dir, []string{"a", "b"})
}
