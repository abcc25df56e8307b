package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestLocalNoFiles expects that special files are skipped without blocking, and that the
// report names a file whose name no event can carry.
func TestLocalNoFiles(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, filepath.Dir(outside), "outside", []byte("secret"))
	for _, err := range []error{
		syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o666),
		os.Symlink(outside, filepath.Join(dir, "link out")),
		os.Symlink(".", filepath.Join(dir, "loop")),
		os.Mkdir(filepath.Join(dir, "folder"), 0o777),
		os.WriteFile(filepath.Join(dir, "not\xffutf8"), nil, 0o666),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := startLocal(t, dir)
	write(t, dir, "file", nil)
	failed := false
	r.Until(1, func(line string) bool {
		failed = failed || strings.Contains(line, "FAILED") && strings.Contains(line, `not\xffutf8`)
		return isSummed(line)
	})
	if !failed {
		t.Error("the name that is not UTF-8 was passed over")
	}
	if status := r.Stop(syscall.SIGTERM); status != exitFailed {
		t.Errorf("exit status is %d", status)
	}
	if got := recordsIn(t, dir); !slices.Equal(got, []string{"file.md5"}) {
		t.Errorf("records are %q", got)
	}
}

// TestLocalEncodedNames expects that names which decode to what no file can be called are summed as any other, as
// programs save pages from the Web under such names.
func TestLocalEncodedNames(t *testing.T) {
	dir := t.TempDir()
	names := []string{"https%3A%2F%2Fexample.com%2Fpage", "%2e%2e%2fabove", "nul%00", "folder%2F"}
	for _, name := range names {
		write(t, dir, name, []byte(name))
	}
	r := startLocal(t, dir)
	r.Until(len(names), isSummed)
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "last", nil)
	r.Until(1, isSummed)
	if status := r.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d: %q", status, r.Output())
	}
}

// TestLocalBucketInBucket expects that a folder with its own bucketsum is skipped, so
// that its records are not summed as files.
func TestLocalBucketInBucket(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", []byte("a"))
	write(t, dir, "sub/n", []byte("n"))
	inner := startLocal(t, filepath.Join(dir, "sub"))
	inner.Until(1, isSummed)
	inner.Stop(syscall.SIGTERM)
	outer := startLocal(t, dir)
	named, summed := false, false
	outer.Until(1, func(line string) bool {
		named = named || strings.HasPrefix(line, "sub/ is left alone: it is a bucket of its own")
		summed = summed || isSummed(line)
		return named && summed
	})
	if status := outer.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	wantRecords(t, dir, []string{"a", "sub/n"})
}

// TestLocalLinkIsRetargeted expects that the process keeps its folder when the symbolic
// link to it changes.
func TestLocalLinkIsRetargeted(t *testing.T) {
	first, second, link := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "inbox")
	if err := os.Symlink(first, link); err != nil {
		t.Fatal(err)
	}
	r := startLocal(t, link)
	if err := errors.Join(os.Remove(link), os.Symlink(second, link)); err != nil {
		t.Fatal(err)
	}
	write(t, first, "f", []byte("f"))
	r.Until(1, isSummed)
	r.Stop(syscall.SIGTERM)
	wantRecords(t, first, []string{"f"})
}

// TestLocalHiddenIsTaken expects a clear error if a file has the name of bucketsum's own
// folder.
func TestLocalHiddenIsTaken(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".bucketsum", []byte("his own"))
	status, _, stderr := call(t, nil, "local", "--listen", "off", dir)
	if status != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, ".bucketsum is not a folder") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
}

// TestLocalUnreadable expects that the report names an unreadable folder or file, and
// that the file is summed as soon as it can be read.
func TestLocalUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	write(t, dir, "file", []byte("f"))
	write(t, dir, "closed/a", []byte("a"))
	mode := func(name string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	mode("file", 0)
	mode("closed", 0)
	r := startLocal(t, dir)
	named, retried := make(map[string]bool), false
	r.Until(2, func(line string) bool {
		retried = retried || strings.HasPrefix(line, "RETRY  file: permission denied") && !named["file"]
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "FAILED  "), ":")
		ok = ok && strings.HasPrefix(line, "FAILED") && strings.Contains(line, "permission denied") && !named[name]
		if ok {
			named[name] = true
		}
		return ok
	})
	if !named["file"] || !named["closed/"] || !retried {
		t.Errorf("named are %v, told before the last attempt: %t", named, retried)
	}
	mode("file", 0o666)
	mode("closed", 0o777)
	r.Until(2, isSummed)
	if status := r.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d although all was put right", status)
	}
	wantRecords(t, dir, []string{"file", "closed/a"})
}
