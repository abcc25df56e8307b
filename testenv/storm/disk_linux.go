package storm

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// diskSize is the size of a disk that is not full.
const diskSize = 2 << 30

// mountDisk gives a folder a disk of its own, in memory, and returns a function that makes the
// disk full, and one that makes room. It needs root; ok is false without.
func mountDisk(t testing.TB, dir string) (fill, free func() error, ok bool) {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil, nil, false
	}
	mount := func(flags uintptr, size uint64) error {
		return syscall.Mount("storm", dir, "tmpfs", flags, fmt.Sprintf("size=%d", size))
	}
	if err := mount(0, diskSize); err != nil {
		t.Logf("mount a disk: %v", err) // a container may forbid it
		return nil, nil, false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	fill = func() error {
		var last error
		for range 10 { // it grows meanwhile
			var s syscall.Statfs_t
			if err := syscall.Statfs(dir, &s); err != nil {
				return err
			}
			if last = mount(syscall.MS_REMOUNT, (s.Blocks-s.Bfree)*uint64(s.Bsize)); last == nil {
				return nil
			}
		}
		return last
	}
	return fill, func() error { return mount(syscall.MS_REMOUNT, diskSize) }, true
}
