package digest

import (
	"errors"

	"golang.org/x/sys/unix"
)

// ReadFileNow is ReadNow for a file, by its descriptor: it reads on where the file stands
// if the system has that in memory. It never tells the end of the file, which only Read
// knows for sure: to ReadNow, Linux 5.9 and 5.10 may bring nothing before it, see
// preadv2(2).
func ReadFileNow(fd uintptr, p []byte) (int, error) {
	for {
		n, err := unix.Preadv2(int(fd), [][]byte{p}, -1, unix.RWF_NOWAIT)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN, err == nil && n == 0 && len(p) > 0:
			return 0, ErrWait
		case err != nil: // Read will tell if there is more to it
			return 0, errors.ErrUnsupported
		default:
			return n, nil
		}
	}
}

// ReadAhead tells the system that a file, by its descriptor, is read from its start to
// its end, so that it reads further ahead from a disk. It is advice: errors are not told.
func ReadAhead(fd uintptr) {
	_ = unix.Fadvise(int(fd), 0, 0, unix.FADV_SEQUENTIAL)
}
