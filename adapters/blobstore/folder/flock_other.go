//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package folder

import (
	"context"
	"os"
)

// flock does nothing: on this system several processes must not share a folder.
func flock(context.Context, *os.File) error { return nil }
