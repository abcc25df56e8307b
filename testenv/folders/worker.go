package folders

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Setup is how a worker runs.
type Setup struct {
	Dir         string
	Settle      time.Duration
	Concurrency int
	Drain       time.Duration // how long work in flight may take when the worker is told to end
	Out         io.Writer     // gets the report of bucketsum local
	// Step must be called before each step of the worker; see pipeline.Observer.
	Step func(s pipeline.Step, key string)
}

// Worker runs bucketsum local until ctx ends. It returns nil if it was ended by ctx, whatever its report says.
type Worker func(ctx context.Context, s Setup) error

const (
	// settle is short, so that many histories fit into a second, and longer than a tick of the clock of file times.
	settle = 10 * time.Millisecond
	// patience is how long a violation may last in a quiet phase: the worker repeats what failed. On a machine with ten
	// times the load that it can bear, it took up to 8 s.
	patience = time.Minute
	// impatience is the same while a history is made shorter, where a violation that would have passed does no harm.
	impatience = 2 * time.Second
	// hangs is how long nothing may happen.
	hangs = 2 * time.Minute
	// marks begin the names of the simulator's own files. They are the last in a scan.
	marks = "~mark-"
)

// process is one run of the worker.
type process struct {
	dir    string
	stop   context.CancelFunc
	exited chan struct{}
	err    error // when exited is closed

	mu      sync.Mutex
	lines   []string // of the report
	rest    string   // an incomplete line
	steps   int      // without those for marks
	marked  int
	waiting map[string]chan struct{} // closed when the report has a line with this beginning
	gate    *gate
}

// gate holds the worker before a step.
type gate struct {
	step             pipeline.Step
	reached, release chan struct{}
}

func start(w Worker, dir string, concurrency int, drain time.Duration) *process {
	ctx, stop := context.WithCancel(context.Background())
	p := &process{dir: dir, stop: stop, exited: make(chan struct{}), waiting: make(map[string]chan struct{})}
	go func() {
		defer close(p.exited)
		p.err = w(ctx, Setup{Dir: dir, Settle: settle, Concurrency: max(concurrency, 1), Drain: drain, Out: p, Step: p.step})
	}()
	return p
}

// end stops the worker and waits for it.
func (p *process) end() error {
	p.stop()
	<-p.exited
	return p.err
}

// Write implements io.Writer for the report.
func (p *process) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest += string(data)
	for {
		line, rest, ok := strings.Cut(p.rest, "\n")
		if !ok {
			return len(data), nil
		}
		p.rest = rest
		p.lines = append(p.lines, line)
		value, _, _ := strings.Cut(line, " ")
		if c := p.waiting[value]; c != nil {
			close(c)
			delete(p.waiting, value)
		}
	}
}

// failed reports whether the report names a file that got no checksum.
func (p *process) failed(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if strings.HasPrefix(line, "FAILED  "+name+":") || strings.HasPrefix(line, "MISMATCH  "+name+":") {
			return true
		}
	}
	return false
}

func (p *process) step(s pipeline.Step, key string) {
	if key == "" || strings.HasPrefix(key, marks) {
		return
	}
	p.mu.Lock()
	p.steps++
	g := p.gate
	if g != nil && g.step == s {
		p.gate = nil
		close(g.reached)
	} else {
		g = nil
	}
	p.mu.Unlock()
	if g != nil {
		<-g.release
	}
}

func (p *process) stepCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.steps
}

// at calls do while the worker waits before a step. If the worker does not come to this step, do is called when it has
// done everything that it had to do.
func (p *process) at(s pipeline.Step, do func() error) error {
	g := &gate{s, make(chan struct{}), make(chan struct{})}
	p.mu.Lock()
	p.gate = g
	p.mu.Unlock()
	marked := make(chan error, 1)
	go func() { marked <- p.mark() }()
	pending := true
	select {
	case <-g.reached:
	case <-p.exited:
	case <-marked:
		pending = false
	}
	err := do()
	p.mu.Lock()
	p.gate = nil
	p.mu.Unlock()
	close(g.release)
	if pending {
		<-marked
	}
	return err
}

// quiet waits until the worker has nothing left to do.
func (p *process) quiet() error {
	for range 200 {
		before := p.stepCount()
		if err := p.mark(); err != nil {
			return err
		}
		if p.stepCount() == before {
			return nil
		}
	}
	return fmt.Errorf("the worker finds something to do again and again")
}

// mark writes a file and waits for its checksum.
func (p *process) mark() error {
	p.mu.Lock()
	p.marked++
	data := fmt.Sprintf("mark %d at %s\n", p.marked, time.Now())
	name := filepath.Join(p.dir, fmt.Sprintf("%s%d-%d", marks, p.marked, time.Now().UnixNano()))
	done := make(chan struct{})
	p.waiting[sum(data)] = done
	p.mu.Unlock()
	if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
		return err
	}
	defer os.Remove(name) // the worker removes its record
	timer := time.NewTimer(hangs)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-p.exited:
		return fmt.Errorf("the worker ended: %w", p.err)
	case <-timer.C:
		return fmt.Errorf("a new file got no checksum within %s", hangs)
	}
}
