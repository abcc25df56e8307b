//go:build unix

package watch_test

import (
	"net"
	"os"
	"path/filepath"
	"sync"
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
	var mu sync.Mutex
	left := make(map[string]watch.Skip)
	r := start(t, watch.Config{Settle: quick, Skip: skipped, RecordOf: recordOf, Skipped: func(key string, why watch.Skip) {
		mu.Lock()
		defer mu.Unlock()
		left[key] = why
	}}, nil)
	write(t, r.path("sub/file"), "x")
	write(t, r.path("sub/file.md5"), "x")
	write(t, r.path("lone.md5"), "x")
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
	mu.Lock()
	defer mu.Unlock()
	wantLeft := map[string]watch.Skip{"pipe": watch.Special, "socket": watch.Special, "lone.md5": watch.LoneRecord}
	for _, link := range []string{"out", "out2", "outfolder", "infolder", "sub/dot", "sub/up", "loop", "round1", "round2", "topipe", "tohidden", "dangling"} {
		wantLeft[link] = watch.Link
	}
	if diff := cmp.Diff(wantLeft, left); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}
