//go:build unix

package watch_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/watch"
)

func TestNotFiles(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	write(t, outside+"/secret", "x")
	write(t, outside+"/folder/secret", "x")
	r := start(t, watch.Config{Settle: quick}, nil)
	write(t, r.path("sub/file"), "x")
	write(t, r.path(".bucketsum/x"), "x")
	l, err := net.Listen("unix", r.path("socket"))
	must(t, err)
	defer l.Close()
	must(t,
		syscall.Mkfifo(r.path("pipe"), 0o666),
		os.Symlink(outside+"/secret", r.path("out")),
		os.Symlink("../"+filepath.Base(outside)+"/secret", r.path("out2")),
		os.Symlink(outside+"/folder", r.path("outfolder")),
		os.Symlink("sub", r.path("infolder")),
		os.Symlink(".", r.path("sub/dot")),
		os.Symlink("..", r.path("sub/up")),
		os.Symlink("loop", r.path("loop")),
		os.Symlink("round2", r.path("round1")),
		os.Symlink("round1", r.path("round2")),
		os.Symlink("pipe", r.path("topipe")),
		os.Symlink(".bucketsum/x", r.path("tohidden")),
		os.Symlink("nowhere", r.path("dangling")),
		os.Symlink("sub/file", r.path("in")),
	)
	write(t, r.path("sub/sentinel"), "")
	want := []string{"created in", "created sub/file", "created sub/sentinel"}
	r.inbox.until(t, "files", func() bool { return len(r.inbox.lines()) >= len(want) })
	if diff := cmp.Diff(want, sorted(r.inbox.lines())); diff != "" {
		t.Error(diff)
	}
}
