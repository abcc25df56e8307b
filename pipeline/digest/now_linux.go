package digest

import (
	"errors"

	"golang.org/x/sys/unix"
)

// readFileNow is ReadNow for a file, by its descriptor. It reads from the current
// position if the system has that part in memory. It never reports the end of the
// file: Linux 5.9 and 5.10 may return nothing before the end, see preadv2(2), so that
// only Read knows.
func readFileNow(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Preadv2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN, err == nil && n == 0 && len(p) > 0:
			return 0, ErrWait
		case err != nil: // a lasting fault is also Read's error
			return 0, errors.ErrUnsupported
		default:
			return n, nil
		}
	}
}

// readAhead tells the system that a file, by its descriptor, is read from its start to
// its end, so that the system reads further ahead from the disk. It is only advice, so
// that an error does not matter.
func readAhead(fd int) {
	_ = unix.Fadvise(fd, 0, 0, unix.FADV_SEQUENTIAL)
}
