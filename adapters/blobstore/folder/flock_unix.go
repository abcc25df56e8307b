//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package folder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// flock waits for the exclusive lock on a file, which ends when the file is
// closed, or for the end of ctx. A file system that has no such locks is none that
// several processes can share safely; one process needs no more than its own.
func flock(ctx context.Context, f *os.File) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == syscall.EINTR:
			continue
		case errors.Is(err, errors.ErrUnsupported):
			return nil
		case err != syscall.EWOULDBLOCK:
			return err
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("another process has the lock %s: %w", f.Name(), ctx.Err())
		}
	}
}
