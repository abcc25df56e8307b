//go:build !unix

package main

import (
	"io"
	"os"
)

// openSumFile opens a file.
func openSumFile(name string) (io.ReadCloser, error) { return os.Open(name) }
