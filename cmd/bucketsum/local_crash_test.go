package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestLocalKilled kills the process in the middle of its work, and expects the next
// process to finish it.
func TestLocalKilled(t *testing.T) {
	dir := t.TempDir()
	var names []string
	for round := range 2 { // each with new files: a process may sum them all before it is killed
		for i := range 150 {
			name := fmt.Sprintf("d%d/file %d %d", i%7, round, i)
			names = append(names, name)
			write(t, dir, name, bytes.Repeat([]byte(name), i*194))
		}
		r := startLocal(t, dir)
		r.Until(80, isSummed)
		r.Stop(syscall.SIGKILL)
	}
	r := startLocal(t, dir)
	write(t, dir, "last", nil)
	names = append(names, "last")
	r.Until(1, func(string) bool { return len(recordsIn(t, dir)) == len(names) })
	if status := r.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	wantRecords(t, dir, names)
	left, err := os.ReadDir(filepath.Join(dir, ".bucketsum", "tmp"))
	if err != nil && !os.IsNotExist(err) || len(left) > 0 {
		t.Errorf("half-written files are left: %v, %v", left, err)
	}
}

func recordsIn(t *testing.T, dir string) []string {
	return slices.DeleteFunc(filesIn(t, dir), func(name string) bool { return !strings.HasSuffix(name, ".md5") })
}

// TestLocalStopped stops the process in the middle of its work: every record that exists
// is complete, and the next process writes the missing ones.
func TestLocalStopped(t *testing.T) {
	dir := t.TempDir()
	var names []string
	for i := range 100 {
		name := fmt.Sprintf("file %d", i)
		names = append(names, name)
		write(t, dir, name, bytes.Repeat([]byte(name), 1<<16))
	}
	r := startLocal(t, dir, "--concurrency", "4") // else all may be done by then
	r.Until(20, isSummed)
	if status := r.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	for _, record := range recordsIn(t, dir) {
		checkWithMD5sum(t, dir, record)
	}
	again := startLocal(t, dir)
	again.Until(1, func(string) bool { return len(recordsIn(t, dir)) == len(names) })
	again.Stop(syscall.SIGTERM)
	wantRecords(t, dir, names)
}
