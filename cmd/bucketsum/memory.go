package main

import (
	"fmt"
	"log/slog"
	"os"
	"path"
	"runtime/debug"
	"slices"
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

// memorySize is a flag that is a size other than 0, or "auto", which is 0.
type memorySize byteSize

var _ pflag.Value = (*memorySize)(nil)

// Set implements pflag.Value.
func (m *memorySize) Set(text string) error {
	if text == "auto" {
		*m = 0
		return nil
	}
	var b byteSize
	if err := b.Set(text); err != nil || b == 0 {
		return fmt.Errorf("%q is neither auto nor a size such as 256MiB", text)
	}
	*m = memorySize(b)
	return nil
}

// String implements pflag.Value.
func (m *memorySize) String() string {
	if *m == 0 {
		return "auto"
	}
	return (*byteSize)(m).String()
}

// Type implements pflag.Value.
func (m *memorySize) Type() string { return "SIZE|auto" }

// memory returns what readers may hold of objects that they read ahead. Unless it is
// said, that is a quarter of what the process may use, and at most 128 MiB.
func (m *memorySize) memory() *blobstore.Memory {
	n := int64(*m)
	if limit := debug.SetMemoryLimit(-1); n == 0 && limit/4 < autoMemory {
		n = limit / 4
	}
	return blobstore.NewMemory(n)
}

const autoMemory = 128 << 20

// warn tells of a size that leaves less than half of what the process may use to
// all else.
func (m *memorySize) warn(log *slog.Logger) {
	if limit := debug.SetMemoryLimit(-1); int64(*m) > limit/2 {
		log.Warn("--memory is more than half of what the process may use", "memory", m.String(), "limit", limit)
	}
}

// limitMemory lets the garbage collector know how much memory the process's control
// group has, less a tenth for what is not Go's, unless GOMEMLIMIT says it. The groups
// are in the folder root, and own is the file that says which the process is in.
func limitMemory(root, own string) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	group2, group1 := "/", "/"  // of v2 and v1. In a container, its own is mostly the root.
	data, _ := os.ReadFile(own) // without it, there is the root
	for line := range strings.Lines(string(data)) {
		_, of, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(of, ":")
		switch {
		case controllers == "":
			group2 = path.Clean("/" + group)
		case slices.Contains(strings.Split(controllers, ","), "memory"):
			group1 = path.Clean("/" + group)
		}
	}
	least := min(
		leastLimit(root, group2, "memory.max"),
		leastLimit(root+"/memory", group1, "memory.limit_in_bytes"))
	if least < noLimit {
		debug.SetMemoryLimit(least - least/10)
	}
}

// noLimit is less than the huge number that v1 has for none.
const noLimit = 1 << 60

// leastLimit returns the least limit that files of a name have in a control group and
// in those that it is in, up to the root; noLimit without one.
func leastLimit(root, group, name string) int64 {
	least := int64(noLimit)
	for {
		data, err := os.ReadFile(root + path.Join(group, name))
		// "max" is no limit.
		if n, bad := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil && bad == nil && n > 0 {
			least = min(least, n)
		}
		if group == "/" {
			return least
		}
		group = path.Dir(group)
	}
}
