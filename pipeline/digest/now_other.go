//go:build !linux

package digest

import "errors"

// readFileNow is ReadNow for a file, by its descriptor. It needs Linux.
func readFileNow(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

// readAhead tells the system that a file, by its descriptor, is read from its start to
// its end. It needs Linux.
func readAhead(int) {}
