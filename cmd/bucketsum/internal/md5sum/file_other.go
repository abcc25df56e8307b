//go:build !unix

package md5sum

import (
	"io"
	"os"
)

// openFile opens a file.
func openFile(name string) (io.ReadCloser, error) { return os.Open(name) }
