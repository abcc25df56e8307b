//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package folder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// flock waits for the exclusive lock on a file, or until ctx ends. The lock ends when the
// file is closed. On a file system without such locks flock does nothing: several
// processes cannot share it safely, and one process has its own locks.
func flock(ctx context.Context, f *os.File) error {
	waits := backoff.Backoff{First: time.Millisecond, Longest: 100 * time.Millisecond}
	for attempt := 1; ; attempt++ {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == syscall.EINTR:
			continue
		case errors.Is(err, errors.ErrUnsupported):
			return nil
		case err != syscall.EWOULDBLOCK:
			return err
		}
		if !waits.Wait(ctx, attempt) {
			return fmt.Errorf("another process has the lock %s: %w", f.Name(), ctx.Err())
		}
	}
}
