package md5lanes

import (
	"runtime"
	"sync"
	"testing"
)

// endless hashes by WriteFrom or Write until stop is closed.
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

// until returns once the engine has the load and the number of sets of lanes in use; 0
// leaders means any number.
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

// TestTwoWritersAreApart asserts that two hashes have a set of lanes each and share one when
// a third hash comes. If they do not, the test never ends.
func TestTwoWritersAreApart(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // one is for the test itself
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
