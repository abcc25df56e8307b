//go:build dragonfly || linux || openbsd || solaris

package filebucket

import (
	"io/fs"
	"syscall"
)

func changed(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ctim.Nano()
	}
	return 0
}
