package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

// TestWarnOfMemory expects a warning if --memory is more than half of the memory limit.
func TestWarnOfMemory(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(200 << 20))
	for size, want := range map[string]bool{"auto": false, "100MiB": false, "101MiB": true} {
		status, _, stderr := call(t, nil, "serve", "--check", "--queue", "mem://queue", "--bucket", "file:///nowhere/at/all", "--listen", "off", "--memory", size)
		if warned := strings.Contains(stderr, "--memory is more than half"); status == exitOK || warned != want {
			t.Errorf("%s: status %d, %q", size, status, stderr)
		}
	}
}
