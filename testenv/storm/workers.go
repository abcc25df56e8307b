package storm

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// worker is a place for one process, which is started again when it ends.
type worker struct {
	storm    *storm
	lane     *lane
	name     string
	survivor bool // is never killed: its memory is watched

	mu      sync.Mutex
	process *os.Process
	address string   // of its HTTP side
	busy    bool     // something is done to it
	cause   string   // why it ends
	ending  bool     // nothing is started any more
	tail    []string // of its output
}

// run keeps a process alive until stop.
func (w *worker) run() {
	for {
		w.mu.Lock()
		if w.ending {
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		w.once()
		time.Sleep(time.Duration(w.storm.chaosDice.below(int64(300 * time.Millisecond))))
	}
}

// once runs one process.
func (w *worker) once() {
	s := w.storm
	cmd := exec.Command(s.binary, w.lane.args(s)...)
	cmd.Env = append(os.Environ(), s.environ(w.lane)...)
	cmd.Dir = s.dir
	out, err := cmd.StderrPipe()
	if err != nil {
		s.fault("start a worker: %v", err)
		return
	}
	if err := cmd.Start(); err != nil {
		s.fault("start a worker: %v", err)
		return
	}
	s.events.add("worker started")
	w.mu.Lock()
	w.process, w.cause, w.tail = cmd.Process, "", nil
	if w.ending {
		_ = cmd.Process.Kill() // nothing waits for it
	}
	w.mu.Unlock()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		w.line(lines.Text())
	}
	err = cmd.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.process, w.address = nil, ""
	status := cmd.ProcessState.ExitCode()
	switch {
	case w.cause == "kill":
	case w.cause == "drain" && status < 0: // the signal came before the process was ready for it
		s.events.add("worker ended by a SIGTERM while it started")
	case w.cause == "drain" && status <= 1: // 1: messages went back to the queue
		s.events.add(fmt.Sprintf("worker drained with status %d", status))
	case w.cause == "stop" && status == 0:
	case w.cause == "" && status == 1 && !w.survivor:
		s.events.add("worker ended by itself: " + w.reason())
	default:
		s.fault("%s ended with status %d (%v) after %q:\n    %s", w.name, status, err, w.cause, strings.Join(w.tail, "\n    "))
	}
}

// reason returns why a process ended by itself, as it says. The caller holds w.mu.
func (w *worker) reason() string {
	if n := len(w.tail); n > 0 {
		return generalize(w.tail[n-1])
	}
	return "it does not say"
}

// line takes a line of the output.
func (w *worker) line(line string) {
	var l struct{ Level, Msg, Listen string }
	parsed := json.Unmarshal([]byte(line), &l) == nil
	if w.storm.logs != nil {
		w.storm.logs.write(w.name, line)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tail = append(w.tail, line); len(w.tail) > 30 {
		w.tail = w.tail[1:]
	}
	switch {
	case parsed && l.Msg == "serving":
		w.address = l.Listen
	case parsed && (l.Msg == "reading resumes at a checkpoint" || l.Msg == "message continues in a new one"):
		w.storm.logged.add("INFO " + l.Msg)
	case parsed && (l.Level == "WARN" || l.Level == "ERROR"):
		w.storm.logged.add(l.Level + " " + l.Msg)
		if strings.Contains(l.Msg, "does not honour conditional writes") || strings.Contains(l.Msg, "panic") {
			w.storm.fault("%s: %s", w.name, line)
		}
	case strings.HasPrefix(line, "panic:"), strings.HasPrefix(line, "fatal error:"), strings.HasPrefix(line, "WARNING: DATA RACE"):
		w.storm.fault("%s: %s", w.name, line)
	}
}

// take reserves a running process, so that only one thing is done to it at a time.
func (w *worker) take() *os.Process {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy || w.process == nil || w.ending {
		return nil
	}
	w.busy = true
	return w.process
}

func (w *worker) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = false
}

func (w *worker) because(cause string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cause = cause
}

func (w *worker) kill() {
	if p := w.take(); p != nil {
		defer w.release()
		w.because("kill")
		if p.Kill() == nil {
			w.storm.events.add("kill")
		}
	}
}

// freeze stops a process for longer than its leases.
func (w *worker) freeze(ctx context.Context, d time.Duration) {
	p := w.take()
	if p == nil {
		return
	}
	defer w.release()
	if p.Signal(syscall.SIGSTOP) != nil {
		return // it has ended
	}
	w.storm.events.add("freeze")
	pause(ctx, d)
	_ = p.Signal(syscall.SIGCONT) // it may have ended
}

// drain tells a process to end, and expects that it does.
func (w *worker) drain(ctx context.Context) {
	p := w.take()
	if p == nil {
		return
	}
	defer w.release()
	w.because("drain")
	if p.Signal(syscall.SIGTERM) != nil {
		return // it has ended
	}
	w.storm.events.add("drain")
	for began := time.Now(); ; pause(ctx, 100*time.Millisecond) {
		w.mu.Lock()
		gone := w.process != p
		w.mu.Unlock()
		if gone || ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			w.storm.fault("%s did not end within a minute after a SIGTERM", w.name)
			w.because("kill")
			_ = p.Kill() // it has ended
			return
		}
	}
}

// stop ends the process in order, and starts no other.
func (w *worker) stop() {
	w.mu.Lock()
	w.ending = true
	p := w.process
	if p != nil {
		w.cause = "stop"
		_ = p.Signal(syscall.SIGTERM) // it may have ended
	}
	w.mu.Unlock()
}

// logFile takes the output of all workers.
type logFile struct {
	mu sync.Mutex
	f  *os.File
}

func newLogFile(dir string) (*logFile, error) {
	f, err := os.Create(filepath.Join(dir, "workers.log"))
	return &logFile{f: f}, err
}

func (l *logFile) write(name, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.f.WriteString(name + " " + line + "\n") // a full disk shows elsewhere
}
