// Package ext4 gives a test a real ext4 file system whose power it can cut.
//
// The file system is in an image file behind a loop device. What a program writes is in
// the page cache until ext4 sends it to the device: at an fsync, or in the background.
// A cut keeps the image as it is, which is what the device would have, and mounts a copy
// of it: ext4 replays its journal as after a real power cut.
//
// One state is tested for each cut, in which ext4 has written nothing that it did not
// have to write: the journal is committed by an fsync or after five minutes, not after
// five seconds, and a file that replaces another one is not written early. The kernel
// still writes data that is older than half a minute. The device itself loses nothing that
// it was sent, so a missing cache flush does not show.
package ext4

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// size of the file system in bytes. The image is sparse.
const size = 256 << 20

// options of the mount: see the package comment.
const options = "loop,commit=300,noauto_da_alloc"

// Disk is a mounted file system. It ends with its test.
type Disk struct {
	Dir string // the root of the file system

	t     testing.TB
	image string
}

// New makes an empty file system. Mounting needs root's rights and Linux: without them it
// skips the test, except in CI.
func New(t testing.TB) *Disk {
	t.Helper()
	home := t.TempDir()
	d := &Disk{Dir: filepath.Join(home, "disk"), t: t, image: filepath.Join(home, "image")}
	if err := os.Mkdir(d.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.image, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, size); err != nil {
		t.Fatal(err)
	}
	d.run("mkfs.ext4", "-q", "-F", d.image)
	d.run("mount", "-o", options, d.image, d.Dir)
	t.Cleanup(func() { d.run("umount", d.Dir) })
	return d
}

// Sync writes everything to the device, as the kernel does with what is older than half a
// minute.
func (d *Disk) Sync() {
	d.t.Helper()
	d.run("sync", "-f", d.Dir)
}

// Cut cuts the power and mounts what is left, at the same place. The test must have killed
// the programs that have files open there.
func (d *Disk) Cut() {
	d.t.Helper()
	d.run("cp", "--sparse=always", d.image, d.image+".left")
	d.run("umount", d.Dir) // which writes to the image of before
	if err := os.Rename(d.image+".left", d.image); err != nil {
		d.t.Fatal(err)
	}
	d.run("mount", "-o", options, d.image, d.Dir)
}

// run runs a command. The first one that fails skips the test, except in CI.
func (d *Disk) run(name string, args ...string) {
	d.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CI") == "" && os.Getuid() != 0:
		d.t.Skipf("an ext4 file system needs root's rights: %s: %v: %s", name, err, out)
	default:
		d.t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}
