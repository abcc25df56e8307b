package memory

import (
	"os"
	"runtime/debug"
)

// maxSlack is how many bytes of garbage may gather at least. Each request to a store
// leaves about 40 KiB.
const maxSlack = 16 << 20

// slack is memory that the program never touches, so that the system does not allocate
// it. The garbage collector counts it as in use.
var slack []byte

// LeaveGarbage makes the garbage collector wait for about 20 MiB of garbage. Without it,
// the collector would run after every hundred requests and take up to a third of the CPU
// of a small object, because the program uses so little memory when it does not read
// ahead. A larger GOGC would have the same effect, but would also multiply the memory for
// reading ahead. A GOGC in the environment turns LeaveGarbage off.
func LeaveGarbage() {
	if os.Getenv("GOGC") == "" {
		slack = make([]byte, min(maxSlack, debug.SetMemoryLimit(-1)/16))
	}
}
