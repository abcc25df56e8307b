//go:build unix

package main

import (
	"io"
	"io/fs"
	"syscall"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// sumFile is a file that is open for reading. An os.File would ask the system
// five things more on the way, which is most of what a small file costs.
type sumFile struct {
	name    string
	fd      int
	advised bool // that the system should read ahead
}

// openSumFile opens a file. As with coreutils, a FIFO waits for its writer.
func openSumFile(name string) (io.ReadCloser, error) {
	for {
		fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		switch err {
		case nil:
			return &sumFile{name: name, fd: fd}, nil
		case syscall.EINTR: // signals come while a FIFO or a slow disk is waited for
		default:
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

// Read implements io.Reader.
func (f *sumFile) Read(p []byte) (int, error) {
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
func (f *sumFile) ReadNow(p []byte) (int, error) { return digest.ReadFileNow(uintptr(f.fd), p) }

// Close implements io.Closer. It is called once.
func (f *sumFile) Close() error { return syscall.Close(f.fd) }
