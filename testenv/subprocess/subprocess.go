// Package subprocess runs the test binary a second time, as a server for tests. A
// server that is a process of its own can be killed, and its goroutines are not those
// of the test.
package subprocess

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Main must be called first in TestMain. If the environment variable is set, this
// process is a server: Main calls serve with the value and exits when serve returns.
// serve should return when standard input ends, which is when the test has ended.
func Main(variable string, serve func(value string) error) {
	value := os.Getenv(variable)
	if value == "" {
		return
	}
	if err := serve(value); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Process is a running server.
type Process struct {
	t       testing.TB
	command *exec.Cmd
	in      io.Writer
	out     *bufio.Reader
}

// Start starts the server with more environment variables, NAME=VALUE. It does not
// wait until the server is ready. The caller must Kill it.
func Start(t testing.TB, environ ...string) *Process {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), environ...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return &Process{t, c, in, bufio.NewReader(out)}
}

// Line waits for a line of the server's standard output, and returns it without the
// line's end.
func (p *Process) Line() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the server does not answer: %v", err)
	}
	return strings.TrimSpace(line)
}

// Ask writes a line to the server's standard input, and returns its next line.
func (p *Process) Ask(line string) string {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		p.t.Fatalf("the server does not listen: %v", err)
	}
	return p.Line()
}

// Kill ends the server as a crash does, and waits for its end. It may be called
// again.
func (p *Process) Kill() {
	_ = p.command.Process.Kill() // fails if it has ended
	_ = p.command.Wait()         // the error says that it was killed
}
