package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// usage is the most that was used.
type usage struct {
	heap       uint64 // bytes of objects
	goroutines int
}

// watchUsage begins to watch what the process uses. The returned function ends that.
func watchUsage() func() usage {
	var most usage
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			most.heap, most.goroutines = max(most.heap, sample[0].Value.Uint64()), max(most.goroutines, runtime.NumGoroutine())
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() usage {
		close(stop)
		<-stopped
		return most
	}
}

// rest is what the process holds while nothing is in work.
type rest struct {
	heap       uint64
	goroutines int
}

func (r rest) String() string { return fmt.Sprintf("%d KiB, %d goroutines", r.heap>>10, r.goroutines) }

func takeRest() rest {
	runtime.GC()
	runtime.GC() // the first one leaves what is in pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return rest{m.HeapAlloc, runtime.NumGoroutine()}
}

// watchAccess begins to watch a folder and its files. The returned function expects that
// nothing opened, read, changed or listed them.
func watchAccess(t *testing.T, dir string) func() {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_ALL_EVENTS); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		buf := make([]byte, 4096)
		if n, err := unix.Read(fd, buf); !errors.Is(err, unix.EAGAIN) {
			t.Errorf("%s was touched: %d bytes of events, %v, %q", dir, n, err, buf[:max(n, 0)])
		}
	}
}
