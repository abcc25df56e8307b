package md5sum_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/md5sum"
)

// result is the outcome of a run of the command or of a tool of coreutils.
type result struct {
	Stdout, Stderr string
	Status         int
}

// run runs bucketsum sum in the current folder, without buckets. A mistake in the flags has the status 1, as with
// coreutils.
func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var (
		stdout, stderr bytes.Buffer
		o              = md5sum.Options{Concurrency: 3, Memory: blobstore.NewMemory(0)}
		fs             = pflag.NewFlagSet("sum", pflag.ContinueOnError)
	)
	o.Define(fs)
	err := fs.Parse(args)
	o.Chosen = fs.Changed("algorithms")
	if err == nil {
		err = o.Validate(fs.Args())
	}
	if err == nil {
		err = md5sum.Run(t.Context(), md5sum.Streams{In: strings.NewReader(stdin), Out: &stdout, Err: &stderr}, &o, fs.Args())
	}
	r := result{stdout.String(), stderr.String(), 0}
	if err != nil {
		r.Status = 1
	}
	if err != nil && !errors.Is(err, md5sum.ErrFailed) {
		r.Stderr += "bucketsum sum: " + err.Error() + "\n"
	}
	return r
}

// runTool runs a tool of coreutils in the current folder.
func runTool(t *testing.T, stdin, tool string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), coreutils(t, tool), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// coreutils returns the path of a tool of GNU coreutils. In CI, the tool must exist.
func coreutils(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		var version []byte
		if version, err = exec.CommandContext(t.Context(), path, "--version").Output(); err == nil && bytes.Contains(version, []byte("GNU coreutils")) {
			return path
		}
		err = fmt.Errorf("it is another program: %.40q, %w", version, err)
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("GNU %s is needed: %v", tool, err)
	}
	t.Skipf("no GNU %s to compare with: %v", tool, err)
	return ""
}

// inFolder makes a new folder with these files the current one.
func inFolder(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
