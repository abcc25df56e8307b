//go:build !linux

package digest

import "errors"

// ReadFileNow is ReadNow for a file, by its descriptor. It needs Linux.
func ReadFileNow(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
