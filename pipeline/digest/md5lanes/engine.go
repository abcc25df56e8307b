package md5lanes

import (
	"crypto/md5"
	"fmt"
	"hash"
	"math/bits"
	"os"
	"runtime"
	"sync"
)

// Environment names the variable that forces the kernel of the package's default engine.
const Environment = "BUCKETSUM_MD5"

// Config of an Engine. The zero value is the default.
type Config struct {
	// Kernel to use, one of Kernels. Default: the first of them.
	Kernel string
}

// Engine computes the hashes that many goroutines write to at the same time, in the lanes of
// one kernel. It is safe for concurrent use, has no goroutine of its own and needs no
// closing.
type Engine struct {
	kernel *kernel // nil means crypto/md5

	mu      sync.Mutex
	queue   queue
	load    int      // digests in the queue and in lanes
	leaders int      // sets of lanes in use
	idle    []*lanes // sets of lanes not in use
	barren  int      // how often seeksCompany still says no
	backoff int      // the last value that barren was set to
	crowd   int      // digests that must still come, with a load of at most 2, before two are hashed apart
}

// NewEngine returns an Engine. It fails if the CPU cannot run the kernel that c names.
func NewEngine(c Config) (*Engine, error) {
	k, err := choose(c.Kernel)
	if err != nil {
		return nil, err
	}
	if !convertible() {
		k = nil
	}
	return &Engine{kernel: k}, nil
}

var standardEngine = sync.OnceValues(fromEnvironment)

func fromEnvironment() (*Engine, error) {
	e, err := NewEngine(Config{Kernel: os.Getenv(Environment)})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Environment, err)
	}
	return e, nil
}

// Default returns the engine of the hashes that the function New returns. It reads the
// environment variable BUCKETSUM_MD5 once, and fails if that names a kernel that does not
// exist or that this CPU cannot run.
func Default() (*Engine, error) { return standardEngine() }

// New returns an MD5 hash of the default engine. It panics if Default fails.
func New() hash.Hash {
	e, err := Default()
	if err != nil {
		panic(err)
	}
	return e.New()
}

// Kernel returns the name of the engine's kernel.
func (e *Engine) Kernel() string {
	if e.kernel == nil {
		return generic
	}
	return e.kernel.name
}

// New returns an MD5 hash. It implements hash.Cloner, encoding.BinaryMarshaler,
// encoding.BinaryAppender and encoding.BinaryUnmarshaler, with states in crypto/md5's
// format. It is not safe for concurrent use. With a kernel it is a Fetcher.
func (e *Engine) New() hash.Hash {
	if e.kernel == nil {
		return md5.New()
	}
	return newDigest(e, md5.New().(standard))
}

// hash hashes p, whole blocks, as the next bytes of d. The calling goroutine either waits
// until others have hashed p, or leads a set of lanes: it fills them from the queue and runs
// them until d is done, then hands the lead to a goroutine whose digest is not.
func (e *Engine) hash(d *digest, p []byte) {
	e.mu.Lock()
	if e.load == 0 && len(p) <= slice && !e.seeksCompany() {
		e.mu.Unlock() // d is done before another writer could join
		d.write(p)
		return
	}
	d.p, d.blocks = p, len(p)/BlockSize
	var l *lanes
	if e.load++; e.load > 2 {
		e.crowd = crowdMemory
	} else if e.crowd > 0 {
		e.crowd--
	}
	if e.wantsLeader() {
		l = e.takeLanes()
		l.put(d)
	} else {
		e.queue.push(d)
	}
	for {
		if l == nil {
			e.mu.Unlock()
			d.wake.wait()
			if l, d.lead = d.lead, nil; l == nil {
				return
			}
			e.mu.Lock()
		}
		if e.turn(d, l) {
			return
		}
		l = nil
	}
}

// turn leads l. The caller holds e.mu. It returns true, with e.mu released, when d is done.
// It returns false, with e.mu held, when d was put back into the queue, from which another
// goroutine may have taken it since.
func (e *Engine) turn(d *digest, l *lanes) (done bool) {
	woken := 0
	for {
		l.fill(&e.queue)
		if l.finished.len == 0 {
			if !l.full() && (woken > 0 || e.seeksCompany()) {
				e.gather(l)
			}
			// One set less may be enough: 16 digests in one set cost half as much CPU as
			// 8 and 8 in two.
			if e.leaders > 1 && e.load <= width*(e.leaders-1) && !e.apart() {
				l.spill(&e.queue)
				e.putLanes(l)
				return false
			}
			e.part(d, l)
		}
		e.mu.Unlock()
		l.run(e.kernel)
		e.mu.Lock()
		e.load -= l.reap()
		rotated := l.rotate(&e.queue, d)
		if woken = l.finished.len; !rotated && (woken == 0 || e.holds(l)) {
			continue
		}
		// From here on another goroutine may wake d and lead l.
		finished := l.finished
		l.finished = queue{}
		done = len(d.p) == 0
		var next *digest
		if done || rotated {
			l.fill(&e.queue)
			if next = l.longest(); next == nil {
				e.putLanes(l)
			} else {
				next.lead = l
			}
		}
		e.mu.Unlock()
		for f := finished.pop(); f != nil; f = finished.pop() {
			if f != d {
				f.wake.open()
			}
		}
		if next != nil {
			next.wake.open()
		}
		if done {
			return true
		}
		e.mu.Lock()
		if rotated {
			return false
		}
	}
}

// gather lets other goroutines run, as long as they bring digests for l's free lanes.
func (e *Engine) gather(l *lanes) {
	start := e.load
	for vain := 0; vain < 2 && !l.full(); vain++ {
		before := e.load
		e.mu.Unlock()
		runtime.Gosched()
		e.mu.Lock()
		l.fill(&e.queue)
		if e.load > before {
			vain = -1
		}
	}
	e.backoff = min(2*e.backoff+1, 63)
	if e.load > start {
		e.backoff = 0
	}
	e.barren = e.backoff
}

// holds reports whether the finished digests of l should wait for more digests to finish. If
// threads sleep, a wake-up costs the runtime about 10 µs of CPU, but of several wake-ups in a
// row only the first does. No digest waits longer than its own hashing took.
func (e *Engine) holds(l *lanes) bool {
	return l.finished.len < l.active() && l.held < l.patience && e.leaders < runtime.GOMAXPROCS(0)
}

// wantsLeader reports whether the load justifies another set of lanes. A set that is far from
// full costs as much CPU as a full one.
func (e *Engine) wantsLeader() bool {
	return e.leaders == 0 || e.leaders == 1 && e.apart() ||
		e.load >= e.leaders*width+width*3/4 && e.leaders < runtime.GOMAXPROCS(0)
}

// crowdMemory is for how many digests the engine remembers that the load was more than 2,
// because even of many writers sometimes only one or two are in Write.
const crowdMemory = 64

// apart reports whether crypto/md5 on a CPU for each digest is better than lanes. That is so
// for two digests: in two lanes of one CPU they have a third less throughput, and hardly use
// less CPU if every chunk wakes the other goroutine. For three digests lanes are better.
func (e *Engine) apart() bool {
	return e.load == 2 && e.crowd == 0 && !e.kernel.alone && runtime.GOMAXPROCS(0) > 1
}

// part separates two digests that fetch without end and are better off apart: the goroutine of
// the other digest gets a set of lanes of its own. The goroutine of d leads l.
func (e *Engine) part(d *digest, l *lanes) {
	if e.load != 2 || l.active() != 2 || d.turn < piece {
		return
	}
	d.turn, e.crowd = 0, 0
	if !e.apart() {
		return
	}
	for u := l.used; u != 0; u &= u - 1 {
		if i := bits.TrailingZeros32(u); l.digests[i] != d {
			other := l.take(i)
			other.lead = e.takeLanes()
			other.lead.put(other)
			e.mu.Unlock()
			other.wake.open()
			e.mu.Lock()
			return
		}
	}
}

func (e *Engine) takeLanes() *lanes {
	e.leaders++
	n := len(e.idle)
	if n == 0 {
		return newLanes()
	}
	l := e.idle[n-1]
	e.idle = e.idle[:n-1]
	return l
}

func (e *Engine) putLanes(l *lanes) {
	e.leaders--
	e.idle = append(e.idle, l)
}

// seeksCompany reports whether a leader with free lanes should let other goroutines run
// first. The more often they brought nothing, the less often it says yes, so that a lone
// writer does not pay for it.
func (e *Engine) seeksCompany() bool {
	if e.barren > 0 {
		e.barren--
		return false
	}
	return true
}
