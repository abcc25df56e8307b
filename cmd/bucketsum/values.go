package main

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
)

// byteSize is a flag that is a number of bytes, such as 4294967296, 4GiB or 4GB.
type byteSize int64

var byteUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

func (s *byteSize) String() string {
	for _, u := range byteUnits[:4] {
		if n := int64(*s); n > 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (s *byteSize) Set(text string) error {
	number, unit := text, int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size; valid are for example 4GiB, 500MB, 4294967296", text)
	}
	*s = byteSize(n * unit)
	return nil
}

func (s *byteSize) Type() string { return "size" }

// slots is a flag that is a number of objects, or "auto".
type slots int

const autoSlots = app.DefaultConcurrency

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

func (s *slots) String() string {
	if *s == autoSlots {
		return "auto"
	}
	return strconv.Itoa(int(*s))
}

func (s *slots) Type() string { return "N|auto" }

// memorySize is a flag that is a size above 0, or "auto", which is stored as 0.
type memorySize byteSize

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

func (m *memorySize) String() string {
	if *m == 0 {
		return "auto"
	}
	return (*byteSize)(m).String()
}

func (m *memorySize) Type() string { return "SIZE|auto" }

// memory returns the memory for reading ahead. "auto" is a quarter of the memory that the
// process may use, and at most 128 MiB.
func (m *memorySize) memory() *blobstore.Memory {
	n := int64(*m)
	if limit := debug.SetMemoryLimit(-1); n == 0 && limit/4 < autoMemory {
		n = limit / 4
	}
	return blobstore.NewMemory(n)
}

const autoMemory = 128 << 20

// warn logs a warning if less than half of the memory that the process may use is left
// for everything else.
func (m *memorySize) warn(log *slog.Logger) {
	if limit := debug.SetMemoryLimit(-1); int64(*m) > limit/2 {
		log.Warn("--memory is more than half of what the process may use", "memory", m.String(), "limit", limit)
	}
}

// either is a flag with two valid words: the first stands for false, the second for
// true.
type either struct {
	value *bool
	words [2]string
}

func (e *either) Set(text string) error {
	i := slices.Index(e.words[:], text)
	if i < 0 {
		return fmt.Errorf("unknown %q; valid are %s", text, strings.Join(e.words[:], ", "))
	}
	*e.value = i == 1
	return nil
}

func (e *either) String() string {
	if *e.value {
		return e.words[1]
	}
	return e.words[0]
}

func (e *either) Type() string { return "string" }

func (e *either) choices() []string { return e.words[:] }
