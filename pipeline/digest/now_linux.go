package digest

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// ReadFileNow is ReadNow for a file, by its descriptor: it reads on where the file stands
// if the system has that in memory.
func ReadFileNow(fd uintptr, p []byte) (int, error) {
	for {
		n, err := unix.Preadv2(int(fd), [][]byte{p}, -1, unix.RWF_NOWAIT)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, ErrWait
		case err != nil: // Read will tell if there is more to it
			return 0, errors.ErrUnsupported
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}
