package main

import (
	"context"
	"os"
	"os/signal"
	"time"
)

const (
	sameSignal = 80 * time.Millisecond // timeout(1) and some process managers signal both a process and its group
	firstDrain = time.Second           // the least time between the first signal and the end by a second one
)

// untilSignal returns a context that the first signal ends, which drains the work. A second one calls end, at the
// earliest firstDrain after the first. One that comes at once is the same signal again.
func untilSignal(signals <-chan os.Signal, end func(os.Signal)) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		stop()
		began := time.Now()
		for s := range signals {
			if time.Since(began) < sameSignal {
				continue
			}
			time.Sleep(firstDrain - time.Since(began))
			end(s)
			return
		}
	}()
	return ctx, stop
}

// endBy ends the process by the default action of a signal.
func endBy(s os.Signal) {
	signal.Reset()
	self, err := os.FindProcess(os.Getpid())
	if err != nil || self.Signal(s) != nil {
		os.Exit(exitFailed) // on Windows
	}
}
