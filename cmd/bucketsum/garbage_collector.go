package main

import (
	"os"
	"runtime/debug"
)

// maxSlack is how much garbage may gather at least, in bytes. Every request to a
// store leaves some 40 KiB.
const maxSlack = 16 << 20

// slack is memory that nobody ever touches, so that it takes none. The garbage
// collector counts it as in use.
var slack []byte

// leaveGarbage makes the garbage collector wait for some 20 MiB of garbage. What is in use
// is so little here, unless objects are read ahead, that it would else run after every
// hundred requests and take up to a third of the CPU of a small object. A larger GOGC would
// do the same, but also multiply what is read ahead. Who sets GOGC decides alone.
func leaveGarbage() {
	if os.Getenv("GOGC") == "" {
		slack = make([]byte, min(maxSlack, debug.SetMemoryLimit(-1)/16))
	}
}
