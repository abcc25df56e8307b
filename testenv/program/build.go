package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var built struct {
	once sync.Once
	dir  string
	err  error
}

// Build builds bucketsum, once for all tests of a process, and returns the path. If the tests run
// under the race detector, so does the program. TestMain must end with Exit.
func Build(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "bucketsum"); built.err != nil {
			return
		}
		args := append([]string{"build", "-buildvcs=false", "-o", built.dir + string(filepath.Separator)}, flags...)
		build := exec.CommandContext(t.Context(), "go", append(args, "github.com/bucketsum/bucketsum/cmd/bucketsum")...)
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("build bucketsum: %v", built.err)
	}
	return filepath.Join(built.dir, "bucketsum")
}

// Exit removes what Build has built, and exits.
func Exit(status int) {
	if built.dir != "" {
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(status)
}
