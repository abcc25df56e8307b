package main

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestSecondSignal: the second Ctrl-C ends the program, also when it comes early, and a signal that is sent twice
// is one.
func TestSecondSignal(t *testing.T) {
	for _, test := range []struct {
		name string
		at   []time.Duration // since the first signal
		ends time.Duration   // 0: never
	}{
		{"one", nil, 0},
		{"sent to the process and its group", []time.Duration{time.Millisecond}, 0},
		{"early", []time.Duration{100 * time.Millisecond}, time.Second},
		{"both", []time.Duration{time.Millisecond, 100 * time.Millisecond}, time.Second},
		{"later", []time.Duration{3 * time.Second}, 3 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, 2)
				defer close(signals)
				var began time.Time
				var ends []time.Duration
				ctx, stop := untilSignal(signals, func(os.Signal) { ends = append(ends, time.Since(began)) })
				defer stop()
				time.Sleep(time.Minute)
				if ctx.Err() != nil {
					t.Error("it drains without a signal")
				}
				began = time.Now()
				signals <- os.Interrupt
				synctest.Wait()
				if ctx.Err() == nil {
					t.Error("the first signal does not end the context")
				}
				for _, at := range test.at {
					time.Sleep(at - time.Since(began))
					signals <- syscall.SIGTERM
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				want := []time.Duration{test.ends}
				if test.ends == 0 {
					want = nil
				}
				if !slices.Equal(ends, want) {
					t.Errorf("it ends after %v, want %v", ends, want)
				}
			})
		})
	}
}
