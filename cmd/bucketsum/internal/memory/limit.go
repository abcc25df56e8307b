// Package memory sets how much memory the process uses, and how much garbage may gather in it.
package memory

import (
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// Limit sets the garbage collector's limit to 90 % of the memory that the control
// groups of the process allow; the rest is for memory that Go does not manage. GOMEMLIMIT
// overrides it. Without a limit of a control group there is none.
//
// memlimit.Set would also read AUTOMEMLIMIT, and would treat an empty GOMEMLIMIT as a
// limit.
func Limit() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if n, err := memlimit.FromCgroup(); err == nil {
		debug.SetMemoryLimit(int64(n - n/10))
	}
}
