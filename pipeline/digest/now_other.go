//go:build !linux

package digest

import "errors"

// ReadFileNow is ReadNow for a file, by its descriptor. It needs Linux.
func ReadFileNow(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

// ReadAhead tells the system that a file, by its descriptor, is read from its start to
// its end. It needs Linux.
func ReadAhead(uintptr) {}
