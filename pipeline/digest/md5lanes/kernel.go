package md5lanes

import (
	"fmt"
	"strings"
	"unsafe"
)

// width is the number of lanes of a kernel.
const width = 16

// generic is the name of hashing without a kernel, by crypto/md5.
const generic = "generic"

// kernel is an implementation of the block function for one instruction set.
type kernel struct {
	name  string
	runs  bool // this CPU can run it
	alone bool // use it for one lane, too, which gains nothing; for tests
	block func(dig *[4][width]uint32, ptr *[width]uintptr, scratch *[2][16][width]uint32, blocks int)
}

// Kernels returns the names of the kernels that this CPU can run, best first. The last is
// "generic", which is crypto/md5 itself.
func Kernels() []string {
	var names []string
	for _, k := range kernels {
		if k.runs {
			names = append(names, k.name)
		}
	}
	return append(names, generic)
}

// choose returns the named kernel: the best one if the name is empty, nil if it is generic.
func choose(name string) (*kernel, error) {
	known := []string{generic}
	for _, k := range kernels {
		switch {
		case name == "" && k.runs, name == k.name && k.runs:
			return k, nil
		case name == k.name:
			return nil, fmt.Errorf("md5lanes: this CPU cannot run kernel %q; it can run %s",
				name, strings.Join(Kernels(), ", "))
		}
		known = append(known, k.name)
	}
	if name == "" || name == generic {
		return nil, nil
	}
	return nil, fmt.Errorf("md5lanes: no kernel %q; there are %s", name, strings.Join(known, ", "))
}

// memory is the data that a kernel works on. Its pointers are unknown to the garbage
// collector; the digests keep the bytes alive.
type memory struct {
	scratch [2][16][width]uint32
	dig     [4][width]uint32
	ptr     [width]uintptr
}

// newMemory returns a memory that starts on a cache line, which is faster.
func newMemory() *memory {
	const line = 64
	b := make([]byte, unsafe.Sizeof(memory{})+line)
	skip := -uintptr(unsafe.Pointer(&b[0])) % line
	return (*memory)(unsafe.Pointer(&b[skip]))
}
