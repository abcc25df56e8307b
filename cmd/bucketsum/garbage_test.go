package main

import (
	"runtime"
	"testing"
)

var garbage []byte

// TestLeaveGarbage makes as much garbage as there may be, of which a process that uses
// as little as this one would else be rid in more than four times.
func TestLeaveGarbage(t *testing.T) {
	defer func() { slack = nil }()
	collections := func() uint32 {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range maxSlack / 4096 {
			garbage = make([]byte, 4096)
		}
		runtime.ReadMemStats(&after)
		return after.NumGC - before.NumGC
	}
	t.Setenv("GOGC", "100")
	leaveGarbage()
	if slack != nil {
		t.Error("GOGC is not heeded")
	}
	t.Setenv("GOGC", "")
	leaveGarbage()
	if n := collections(); n > 2 { // there is one every two minutes anyway
		t.Errorf("%d collections", n)
	}
}
