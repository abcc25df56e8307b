//go:build unix

package md5sum

import (
	"io"
	"io/fs"
	"syscall"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// file is a file that is open for reading. An os.File would ask the system
// five things more on the way, which is most of what a small file costs.
type file struct {
	name    string
	fd      int
	advised bool // that the system should read ahead
}

// openFile opens a file. As with coreutils, a FIFO waits for its writer.
func openFile(name string) (io.ReadCloser, error) {
	for {
		fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		switch err {
		case nil:
			return &file{name: name, fd: fd}, nil
		case syscall.EINTR: // signals come while a FIFO or a slow disk is waited for
		default:
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	for {
		n, err := syscall.Read(f.fd, p)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, &fs.PathError{Op: "read", Path: f.name, Err: err}
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			if n == len(p) && !f.advised { // it is not in memory, and there is more of it
				digest.ReadAhead(uintptr(f.fd))
				f.advised = true
			}
			return n, nil
		}
	}
}

// ReadNow implements digest.ReaderNow.
func (f *file) ReadNow(p []byte) (int, error) { return digest.ReadFileNow(uintptr(f.fd), p) }

// Close implements io.Closer. It is called once.
func (f *file) Close() error { return syscall.Close(f.fd) }
