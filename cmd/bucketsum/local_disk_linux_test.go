package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketsum/bucketsum/testenv/program"
)

// mountSmall mounts a file system of 400 KiB. If that is not permitted it skips the test; in
// CI, where it is permitted, the test fails.
func mountSmall(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=400k"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("mount: %v", err)
		}
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }) // the test may have done it
}

// TestLocalFullDisk expects that files wait while the disk is full, which is said once, and
// get their records when there is space again.
func TestLocalFullDisk(t *testing.T) {
	dir := t.TempDir()
	mountSmall(t, dir)
	fill := filepath.Join(dir, "fill")
	var names []string
	r := startLocal(t, dir, "--exclude", "fill")
	for round := range 2 {
		if err := os.WriteFile(fill, make([]byte, 1<<20), 0o666); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("the disk is not full: %v", err)
		}
		for i := range 20 {
			names = append(names, fmt.Sprintf("empty %d %d", round, i))
			write(t, dir, names[len(names)-1], nil)
		}
		r.Until(1, program.Contains("WAITS  no space left on device"))
		if round > 0 {
			break
		}
		if err := os.Remove(fill); err != nil {
			t.Fatal(err)
		}
		again := 0
		r.Until(21, func(line string) bool {
			if strings.HasPrefix(line, "WORKS AGAIN") {
				again++
			}
			return isSummed(line) || again == 1 && strings.HasPrefix(line, "WORKS AGAIN")
		})
	}
	if status := r.Stop(syscall.SIGTERM); status != exitFailed {
		t.Errorf("exit status is %d, although files wait", status)
	}
	count := func(part string) int {
		return len(slices.DeleteFunc(r.Output(), func(line string) bool { return !strings.Contains(line, part) }))
	}
	if waits, failed := count("WAITS"), count("FAILED"); waits != 2 || failed != 0 {
		t.Errorf("%d lines of waits, %d of failures: %q", waits, failed, r.Output())
	}
	if last := r.Output()[len(r.Output())-1]; !strings.Contains(last, "20 files summed") || !strings.Contains(last, "files WAIT (no space left on device)") {
		t.Errorf("summary %q", last)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	again := startLocal(t, dir)
	again.Until(20, isSummed)
	again.Stop(syscall.SIGTERM)
	wantRecords(t, dir, names)
}

// TestLocalReadOnly expects that a file waits while its file system is read-only.
func TestLocalReadOnly(t *testing.T) {
	dir := t.TempDir()
	mountSmall(t, dir)
	r := startLocal(t, dir)
	write(t, dir, "a", nil)
	r.Until(1, isSummed)
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatalf("remount: %v", err)
	}
	r.Until(1, program.Contains("WAITS  read-only file system"))
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatalf("remount: %v", err)
	}
	r.Until(1, program.Contains("record removed"))
	if status := r.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	if got := filesIn(t, dir); len(got) > 0 {
		t.Errorf("left are %q", got)
	}
}

// TestLocalUnmounted expects that the process waits for a file system that is unmounted, and
// writes nothing into the folder below it.
func TestLocalUnmounted(t *testing.T) {
	dir := t.TempDir()
	mountSmall(t, dir)
	r := startLocal(t, dir)
	write(t, dir, "a", nil)
	r.Until(1, isSummed)
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	r.Until(1, program.Contains("its file system was unmounted"))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("in the folder below is %v, %v", entries, err)
	}
	mountSmall(t, dir)
	r.Until(1, program.Contains("is the bucket"))
	write(t, dir, "b", nil)
	r.Until(1, isSummed)
	r.Stop(syscall.SIGTERM)
	wantRecords(t, dir, []string{"b"})
}
