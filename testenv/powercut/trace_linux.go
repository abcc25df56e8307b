package powercut

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Log is what one run of a program has done to a folder.
type Log struct {
	Before Tree
	Ops    []Op
}

// Trace runs a program under strace until done returns true, ends it by SIGTERM, and returns what it has
// done to the folder. The program may use several threads, and no other process may change the folder.
// The test fails if the operations do not lead to the folder that is there at the end.
func Trace(t testing.TB, dir string, c *exec.Cmd, done func() bool) Log {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("strace is missing")
	}
	if err != nil {
		t.Fatalf("install strace: %v", err)
	}
	dir, err = filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	before, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "strace")
	c.Args = append([]string{"strace", "-f", "-y", "-xx", "--seccomp-bpf", "-s", "1048576", "-o", output, "-e", "trace=" + calls, c.Path}, c.Args[1:]...)
	c.Path = strace
	var said bytes.Buffer
	if c.Stdout == nil {
		c.Stdout = &said
	}
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	limit := time.After(2 * time.Minute)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for stopped := false; ; {
		select {
		case <-ended:
			if !stopped {
				t.Fatalf("the program ended: %s", &said)
			}
			return logOf(t, dir, before, output)
		case <-limit:
			_ = c.Process.Kill() // the test fails anyway
			t.Fatalf("the program has not done its work after two minutes: %s", &said)
		case <-look.C:
			if stopped || !done() {
				continue
			}
			pid, err := programOf(output)
			if err == nil {
				err = syscall.Kill(pid, syscall.SIGTERM)
			}
			if err != nil {
				t.Fatal(err)
			}
			stopped = true
		}
	}
}

// programOf returns the process that strace has started.
func programOf(output string) (int, error) {
	data, err := os.ReadFile(output)
	if err != nil {
		return 0, err
	}
	pid, _, _ := bytes.Cut(data, []byte(" "))
	return strconv.Atoi(string(pid))
}

func logOf(t testing.TB, dir string, before Tree, output string) Log {
	t.Helper()
	data, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseCalls(data)
	if err != nil {
		t.Fatal(err)
	}
	ops, err := opsOf(dir, all)
	if err != nil {
		t.Fatal(err)
	}
	d := newDisk(before)
	for _, o := range ops {
		if err := d.do(o); err != nil {
			t.Fatal(err)
		}
	}
	after, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(after, d.now()); diff != "" {
		t.Fatalf("what the trace says differs from the folder (-folder +trace):\n%s", diff)
	}
	return Log{before, ops}
}
