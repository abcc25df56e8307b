//go:build unix

package watch

import (
	"io/fs"
	"syscall"
)

// identify returns the identity of a folder, which a move does not change.
func identify(info fs.FileInfo) identity {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return identity{uint64(s.Dev), uint64(s.Ino)}
	}
	return identity{}
}
