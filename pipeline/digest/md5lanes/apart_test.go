package md5lanes

import (
	"runtime"
	"sync"
	"testing"
)

// endless hashes without end, from its buffer or by Write, until stop is closed.
func endless(e *Engine, fetches bool, stop chan struct{}) {
	p := make([]byte, 64<<10)
	next := func(p []byte) int {
		select {
		case <-stop:
			return 0
		default:
			return len(p)
		}
	}
	h := e.New()
	if fetches {
		h.(Fetcher).WriteFrom(p, next)
		return
	}
	for next(p) > 0 {
		h.Write(p)
	}
}

// until returns once the engine has so many digests and sets of lanes in use, 0 being any.
func (e *Engine) until(load, leaders int) {
	for {
		e.mu.Lock()
		reached := e.load == load && (leaders == 0 || e.leaders == leaders)
		e.mu.Unlock()
		if reached {
			return
		}
		runtime.Gosched()
	}
}

// TestTwoAreApart asserts that two hashes have a CPU each, and share one when a third comes.
// What it waits for never happens if that is not so.
func TestTwoAreApart(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // one for the test itself
	e := anyKernel(t)
	for _, fetches := range []bool{true, false} {
		var two, third sync.WaitGroup
		stop, stopThird := make(chan struct{}), make(chan struct{})
		for range 2 {
			two.Go(func() { endless(e, fetches, stop) })
		}
		e.until(2, 2)
		third.Go(func() { endless(e, true, stopThird) })
		e.until(3, 1)
		close(stopThird)
		third.Wait()
		e.until(2, 2)
		close(stop)
		two.Wait()
		checkIdle(t, e)
	}
}
