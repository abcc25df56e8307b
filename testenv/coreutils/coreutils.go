// Package coreutils runs the tools of GNU coreutils for tests that compare with them.
package coreutils

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Result is how a tool, or a command that is compared with it, has ended.
type Result struct {
	Stdout, Stderr string
	Status         int
}

// Path returns the path of a tool. Without it the test is skipped, except in CI, where it fails.
func Path(t testing.TB, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		var version []byte
		version, err = exec.CommandContext(t.Context(), path, "--version").Output()
		if err == nil && !bytes.Contains(version, []byte("GNU coreutils")) {
			err = fmt.Errorf("it is another program: %.40q", version)
		}
	}
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("GNU %s is needed: %v", tool, err)
	}
	t.Skipf("no GNU %s to compare with: %v", tool, err)
	return ""
}

// Run runs a tool in the current folder, with its messages in English.
func Run(t testing.TB, stdin, tool string, args ...string) Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), Path(t, tool), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
