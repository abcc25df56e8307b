package main

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
)

// slots is a number of objects, or "auto".
type slots int

// autoSlots is enough to fill the lanes of MD5 on several CPUs and to hide the
// latency of a store from small objects, with room for some huge ones beside them.
// A slot in use costs one small buffer and one connection: what is read ahead is
// bounded by --memory.
const autoSlots = 64

var _ pflag.Value = (*slots)(nil)

// Set implements pflag.Value.
func (s *slots) Set(text string) error {
	if text == "auto" {
		*s = autoSlots
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%q is neither a number nor auto", text)
	}
	*s = slots(n)
	return nil
}

// String implements pflag.Value.
func (s *slots) String() string {
	if *s == autoSlots {
		return "auto"
	}
	return strconv.Itoa(int(*s))
}

// Type implements pflag.Value.
func (s *slots) Type() string { return "N|auto" }

// byteSize is a number of bytes, as 256MiB; 0 is "auto".
type byteSize int64

var _ pflag.Value = (*byteSize)(nil)

var byteUnits = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// Set implements pflag.Value.
func (b *byteSize) Set(text string) error {
	if text == "auto" {
		*b = 0
		return nil
	}
	number, unit := text, int64(1)
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = n, u.size
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is neither auto nor a size such as 256MiB", text)
	}
	*b = byteSize(n * unit)
	return nil
}

// String implements pflag.Value.
func (b *byteSize) String() string {
	if *b == 0 {
		return "auto"
	}
	for i := len(byteUnits) - 1; i >= 0; i-- {
		if u := byteUnits[i]; int64(*b)%u.size == 0 {
			return strconv.FormatInt(int64(*b)/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Type implements pflag.Value.
func (b *byteSize) Type() string { return "SIZE|auto" }

// memory returns what readers may hold of objects that they read ahead. Unless it is
// said, that is a quarter of what the process may use, and at most 128 MiB.
func (b *byteSize) memory() *blobstore.Memory {
	n := int64(*b)
	if limit := debug.SetMemoryLimit(-1); n == 0 && limit/4 < autoMemory {
		n = limit / 4
	}
	return blobstore.NewMemory(n)
}

const autoMemory = 128 << 20

// limitMemory lets the garbage collector know how much memory the process's control
// group has, less a tenth for what is not Go's, unless GOMEMLIMIT says it.
func limitMemory(cgroup string) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	for _, name := range []string{"memory.max", "memory/memory.limit_in_bytes"} { // v2, v1
		data, err := os.ReadFile(cgroup + "/" + name)
		if err != nil {
			continue
		}
		// "max", or v1's huge number, is no limit.
		if n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil && n > 0 && n < 1<<60 {
			debug.SetMemoryLimit(n - n/10)
		}
		return
	}
}
