package md5lanes

import (
	"bytes"
	"crypto/md5"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"
	"weak"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// anyKernel returns an engine with a kernel. It skips the test on a CPU without one.
func anyKernel(t *testing.T) *Engine {
	e, err := NewEngine(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if e.kernel == nil {
		t.Skip("this machine has no kernel")
	}
	return e
}

// paused is an engine whose kernel waits for the test before each run.
type paused struct {
	*Engine
	entered chan int      // gets the number of lanes before each run
	proceed chan struct{} // a value lets one run proceed
}

func newPaused(t *testing.T) *paused {
	e := &paused{Engine: anyKernel(t), entered: make(chan int), proceed: make(chan struct{})}
	k := *e.kernel
	block := k.block
	k.block = func(dig *[4][width]uint32, ptr *[width]uintptr, scratch *[2][16][width]uint32, blocks int) {
		addresses := map[uintptr]bool{}
		for _, p := range ptr {
			addresses[p] = true
		}
		e.entered <- len(addresses)
		<-e.proceed
		block(dig, ptr, scratch, blocks)
	}
	k.alone = true
	e.kernel = &k
	return e
}

// await returns once the engine's load is n.
func (e *paused) await(n int) {
	for {
		e.mu.Lock()
		load := e.load
		e.mu.Unlock()
		if load == n {
			return
		}
		runtime.Gosched()
	}
}

// leading returns how many sets of lanes are in use.
func (e *paused) leading() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.leaders
}

// write starts n goroutines, each of which hashes size bytes and checks the sum.
func (e *paused) write(t *testing.T, wg *sync.WaitGroup, n, size int) {
	for i := range n {
		p := bytes.Repeat([]byte{byte(i)}, size)
		wg.Go(func() {
			h := e.New()
			h.Write(p)
			if got, want := [Size]byte(h.Sum(nil)), md5.Sum(p); got != want {
				t.Errorf("sum %x, want %x", got, want)
			}
		})
	}
}

// checkIdle fails the test if e has a digest or uses lanes.
func checkIdle(t *testing.T, e *Engine) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.load != 0 || e.leaders != 0 || e.queue.head != nil {
		t.Errorf("idle engine has load %d, %d leaders, queue of %d", e.load, e.leaders, e.queue.len)
	}
	for _, l := range e.idle {
		if l.used != 0 || l.resident != 0 || l.finished.head != nil || l.digests != [width]*digest{} {
			t.Errorf("idle lanes hold %b, %b, %d finished", l.used, l.resident, l.finished.len)
		}
	}
}

// TestSetsOfLanes asserts that 16 writers share one set of lanes although two CPUs are free,
// that 32 writers use a second set, and that the second set is given up when few are left.
func TestSetsOfLanes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	e := newPaused(t)
	var wg sync.WaitGroup
	e.write(t, &wg, 1, 1<<20)
	lanes := <-e.entered
	e.write(t, &wg, 7, 1<<20)
	e.write(t, &wg, 8, 64<<10)
	e.await(16)
	if n := e.leading(); lanes != 1 || n != 1 {
		t.Errorf("first run has %d lanes, 16 writers have %d leaders; want 1 and 1", lanes, n)
	}
	e.proceed <- struct{}{}
	if lanes := <-e.entered; lanes != 16 {
		t.Errorf("second run has %d lanes, want 16", lanes)
	}
	e.write(t, &wg, 8, 1<<20)
	e.write(t, &wg, 8, 64<<10)
	<-e.entered // the second leader's run, while the first leader waits in its own
	e.await(32)
	if n := e.leading(); n != 2 {
		t.Errorf("32 writers have %d leaders, want 2", n)
	}

	// When the short writes are done, 8 long ones (one piece each) are left in each set.
	// Let the two leaders run in step.
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	joined := false
	for running, waiting := true, 2; running; {
		select {
		case lanes = <-e.entered:
			waiting++
		case <-done:
			running = false
		default:
			runtime.Gosched()
		}
		if n := e.leading(); waiting == n {
			joined = joined || n == 1 && lanes > 8
			for ; waiting > 0; waiting-- {
				e.proceed <- struct{}{}
			}
		}
	}
	if !joined {
		t.Error("the long writes never shared one set of lanes")
	}
	checkIdle(t, e.Engine)
}

// TestDroppedHashesAreCollected asserts that an engine keeps neither hashes that were dropped
// halfway nor buffers that were hashed.
func TestDroppedHashesAreCollected(t *testing.T) {
	e := anyKernel(t)
	var mu sync.Mutex
	var hashes []weak.Pointer[digest]
	var used []*digest
	var buffers []weak.Pointer[[3 * slice]byte]
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			h := e.New().(*digest)
			p := new([3 * slice]byte)
			h.Write(p[:])
			h.Write(p[:100])
			mu.Lock()
			defer mu.Unlock()
			if i%2 == 0 {
				used = append(used, h)
			} else {
				hashes = append(hashes, weak.Make(h))
			}
			buffers = append(buffers, weak.Make(p))
		})
	}
	wg.Wait()
	checkIdle(t, e)
	runtime.GC()
	for _, h := range hashes {
		if h.Value() != nil {
			t.Error("a dropped hash is still alive")
		}
	}
	for _, b := range buffers {
		if b.Value() != nil {
			t.Error("a buffer that was hashed is still alive")
		}
	}
	runtime.KeepAlive(used)
	runtime.KeepAlive(e)
}

// TestFreeLanesReadLiveMemory asserts that a kernel gets no address of an earlier writer, and
// at most 1024 blocks at once, so that its thread can be preempted soon.
func TestFreeLanesReadLiveMemory(t *testing.T) {
	e := anyKernel(t)
	var live [][]byte
	k := *e.kernel
	k.block = func(dig *[4][width]uint32, ptr *[width]uintptr, scratch *[2][16][width]uint32, blocks int) {
		if blocks < 1 || blocks > 1024 {
			t.Errorf("a run has %d blocks, want 1 to 1024", blocks)
		}
		for lane, p := range ptr {
			if !slices.ContainsFunc(live, func(b []byte) bool {
				start := uintptr(unsafe.Pointer(&b[0]))
				return p >= start && p+uintptr(blocks*BlockSize) <= start+uintptr(len(b))
			}) {
				t.Errorf("lane %d reads %d blocks at %#x, which is not what is being written", lane, blocks, p)
			}
		}
		e.kernel.block(dig, ptr, scratch, blocks)
	}
	watched := &Engine{kernel: &k}
	for _, writers := range []int{16, 3, 2, 5} {
		live = nil
		for range writers {
			live = append(live, make([]byte, 1<<20))
		}
		var wg sync.WaitGroup
		for _, p := range live {
			wg.Go(func() { watched.New().Write(p) })
		}
		wg.Wait()
		checkIdle(t, watched)
	}
}

func TestKernelFromEnvironment(t *testing.T) {
	for _, kernel := range append([]string{""}, Kernels()...) {
		t.Setenv(Environment, kernel)
		e, err := fromEnvironment()
		if err != nil {
			t.Fatalf("%s=%q: %v", Environment, kernel, err)
		}
		want := kernel
		if kernel == "" {
			want = Kernels()[0]
		}
		if got := e.Kernel(); got != want {
			t.Errorf("%s=%q chooses %q, want %q", Environment, kernel, got, want)
		}
	}
	t.Setenv(Environment, "mmx")
	if e, err := fromEnvironment(); err == nil || !strings.Contains(err.Error(), Environment) || !strings.Contains(err.Error(), generic) {
		t.Errorf("%s=mmx chooses %v, %v; want an error that names the variable and what is valid", Environment, e, err)
	}
	defer func(k []*kernel) { kernels = k }(kernels)
	kernels = []*kernel{{name: "future"}}
	if _, err := NewEngine(Config{Kernel: "future"}); err == nil || !strings.Contains(err.Error(), "cannot run") {
		t.Errorf("a kernel that the CPU cannot run: error %v", err)
	}
	if e, err := NewEngine(Config{}); err != nil || e.Kernel() != generic {
		t.Errorf("no kernel runs: engine %v, %v; want generic", e, err)
	}
}

// TestKernelsAreGenerated compares the assembly in the repository with the generator's output.
func TestKernelsAreGenerated(t *testing.T) {
	for _, kernel := range []string{"avx512", "avx2"} {
		dir := t.TempDir()
		assembly, stub := kernel+"_amd64.s", kernel+"_amd64.go"
		cmd := exec.Command("go", "-C", filepath.Join("internal", "gen"), "run", ".", "-kernel", kernel,
			"-out", filepath.Join(dir, assembly), "-stubs", filepath.Join(dir, stub), "-pkg", "md5lanes")
		if out, err := cmd.CombinedOutput(); err != nil {
			if os.Getenv("CI") == "" {
				t.Skipf("the generator does not run here: %v\n%s", err, out)
			}
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
		for _, name := range []string{assembly, stub} {
			if body(t, name) != body(t, filepath.Join(dir, name)) {
				t.Errorf("%s differs from the generator's output: run go generate", name)
			}
		}
	}
}

// body returns a generated file without its first line, which contains the command line.
func body(t *testing.T, name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(b), "\n")
	return body
}
