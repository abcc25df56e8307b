//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package blobstore

import (
	"errors"
	"os"
	"syscall"
)

// flock waits for the exclusive lock on a file, which ends when the file is
// closed. A file system that has no such locks is none that several processes
// can share safely; one process needs no more than its own.
func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		switch {
		case err == syscall.EINTR:
		case errors.Is(err, errors.ErrUnsupported):
			return nil
		default:
			return err
		}
	}
}
