package program

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
		if built.err = lookAtSources(); built.err != nil {
			return
		}
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

// lookAtSources asks for the state of every file of the module, so that go test repeats a test when one of them has changed.
// Go does not know what the go command of a test reads, and would show its cached result.
func lookAtSources() error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			return fs.ErrNotExist
		}
		dir = filepath.Dir(dir)
	}
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // of a test that runs at the same time
			return nil
		case err != nil:
			return err
		case e.IsDir() && e.Name() == ".git":
			return fs.SkipDir
		case e.IsDir() || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		_, _ = os.Stat(path) // only that it was asked counts
		return nil
	})
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
