package program

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// shrinkPipe gives a pipe the smallest size, so that a process that writes to it soon
// waits for the reader.
func shrinkPipe(t testing.TB, pipe *os.File) {
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
