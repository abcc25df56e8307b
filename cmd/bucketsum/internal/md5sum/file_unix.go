//go:build unix

package md5sum

import (
	"io"
	"io/fs"
	"syscall"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// openFile opens a file. As with coreutils, a FIFO waits for its writer.
func openFile(name string) (io.ReadCloser, error) {
	for {
		fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		switch err {
		case nil:
			return digest.NewFile(fd, name), nil
		case syscall.EINTR: // signals come while a FIFO or a slow disk is waited for
		default:
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}
