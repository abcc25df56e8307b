package main

import (
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

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
