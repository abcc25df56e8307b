//go:build unix

package watch

import (
	"io/fs"
	"syscall"
)

// identify returns what stays the same when a folder is moved.
func identify(info fs.FileInfo) identity {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return identity{uint64(s.Dev), uint64(s.Ino)}
	}
	return identity{}
}
