package main

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// leash makes a pipe as small as it can be, so that a process waits for who
// reads what it says.
func leash(t *testing.T, pipe *os.File) {
	t.Helper()
	raw, err := pipe.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { _, failed = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 4096) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}
