package memory

import (
	"runtime"
	"testing"
)

// TestLeaveGarbage compares how much garbage may gather with and without the slack. A
// count of collections would depend on the load of the machine.
func TestLeaveGarbage(t *testing.T) {
	defer func() { slack = nil }()
	room := func() uint64 {
		runtime.GC()
		runtime.GC() // what pools hold lives through the first
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NextGC - m.HeapAlloc
	}
	t.Setenv("GOGC", "100")
	LeaveGarbage()
	if slack != nil {
		t.Error("GOGC is not heeded")
	}
	without := room()
	t.Setenv("GOGC", "")
	LeaveGarbage()
	if with := room(); with < maxSlack || with < without+maxSlack/2 {
		t.Errorf("%d bytes may gather, and %d without it", with, without)
	}
}
