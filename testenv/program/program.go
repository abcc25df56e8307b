// Package program runs bucketsum as a process for tests: to kill it, or to see its output.
package program

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is a running bucketsum. Only one goroutine may read its lines.
type Process struct {
	Lines <-chan string   // of its output, stdout and stderr, without the ends of lines
	Ended <-chan struct{} // closed when it has ended and all lines were read

	t    testing.TB
	cmd  *exec.Cmd
	mu   sync.Mutex
	seen []string
}

// Options say how a process runs.
type Options struct {
	// Environ are variables that are added to the environment of the test.
	Environ []string
	// Throttled makes the process wait when 8 KiB of its output are unread: the size of the pipe
	// and of the buffer here. It works on Linux only.
	Throttled bool
	// User runs it as the user and group with this number, which root can do on Unix. 0: as the test.
	User uint32
}

// Start runs a program, which is killed when the test ends.
func (o Options) Start(t testing.TB, path string, args ...string) *Process {
	t.Helper()
	lines, ended := make(chan string), make(chan struct{})
	p := &Process{Lines: lines, Ended: ended, t: t, cmd: exec.Command(path, args...)}
	p.cmd.Env = append(append(os.Environ(), "GOCOVERDIR="+t.TempDir(),
		"GORACE=atexit_sleep_ms=0"), o.Environ...) // the detector would make each end take a second
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if o.Throttled {
		shrinkPipe(t, stdout.(*os.File))
	}
	if o.User != 0 {
		p.cmd.SysProcAttr = asUser(o.User)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.follow(stdout, lines, ended)
	return p
}

func (p *Process) follow(stdout io.Reader, lines chan<- string, ended chan<- struct{}) {
	stop := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(lines)
		scan := bufio.NewScanner(stdout)
		for scan.Scan() {
			p.mu.Lock()
			p.seen = append(p.seen, scan.Text())
			p.mu.Unlock()
			select {
			case lines <- scan.Text():
			case <-stop:
			}
		}
		_ = p.cmd.Wait() // ProcessState says how it ended
	}()
	p.t.Cleanup(func() {
		close(stop)
		p.Kill()
		<-p.Ended
		if p.t.Failed() {
			p.t.Logf("bucketsum %s\n%s", strings.Join(p.cmd.Args[1:], " "), strings.Join(p.Output(), "\n"))
		}
	})
}

// Until reads lines until n of them match, and returns the last one.
func (p *Process) Until(n int, match func(line string) bool) string {
	p.t.Helper()
	timeout := time.NewTimer(2 * time.Minute)
	defer timeout.Stop()
	for {
		select {
		case line, ok := <-p.Lines:
			if !ok {
				p.t.Fatalf("bucketsum ended while %d more lines were awaited", n)
			}
			if match(line) {
				n--
			}
			if n <= 0 {
				return line
			}
		case <-timeout.C:
			p.t.Fatalf("%d more lines did not come", n)
		}
	}
}

// Poll reads lines until a condition holds that the lines do not show.
func (p *Process) Poll(what string, done func() bool) {
	p.t.Helper()
	lines := p.Lines
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	timeout := time.NewTimer(2 * time.Minute)
	defer timeout.Stop()
	for {
		select {
		case _, ok := <-lines:
			if !ok {
				lines = nil
			}
		case <-again.C:
			if done() {
				return
			}
		case <-timeout.C:
			p.t.Fatalf("%s does not come", what)
		}
	}
}

// PID returns the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Kill kills the process, and does not wait for its end.
func (p *Process) Kill() { _ = p.cmd.Process.Kill() } // fails if it has ended

// Stop sends the signal, waits for the end and returns the exit status.
func (p *Process) Stop(s syscall.Signal) int {
	p.t.Helper()
	if err := p.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	for range p.Lines { // to the end
	}
	<-p.Ended
	return p.cmd.ProcessState.ExitCode()
}

// Status returns the exit status, once the process has ended.
func (p *Process) Status() int { return p.cmd.ProcessState.ExitCode() }

// Output returns the lines so far.
func (p *Process) Output() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.seen...)
}

// Contains matches the lines that have a part.
func Contains(part string) func(line string) bool {
	return func(line string) bool { return strings.Contains(line, part) }
}
