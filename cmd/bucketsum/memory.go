package main

import (
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// limitMemory tells the garbage collector how much memory the process's control group
// has, less a tenth for memory that is not Go's. GOMEMLIMIT overrides it. Without a
// control group that limits memory there is no limit.
//
// This is not memlimit.Set, which also reads AUTOMEMLIMIT and takes an empty GOMEMLIMIT
// for a limit.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if n, err := memlimit.FromCgroup(); err == nil {
		debug.SetMemoryLimit(int64(n - n/10))
	}
}
