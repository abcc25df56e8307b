package flagvalue

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
)

// Size is a number of bytes, such as 4294967296, 4GiB or 4GB.
type Size int64

var units = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

func (s *Size) String() string {
	for _, u := range units[:4] {
		if n := int64(*s); n > 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (s *Size) Set(text string) error {
	number, unit := text, int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size, such as 4GiB, 500MB or 4294967296%s", text, whole(text))
	}
	*s = Size(n * unit)
	return nil
}

// whole is the question whether a unit is meant that is cut, as in 4G.
func whole(text string) string {
	if text == "" || !strings.Contains("KMGT", text[len(text)-1:]) {
		return ""
	}
	return meant(text, new(Size), "iB")
}

func (s *Size) Type() string { return "size" }

// Upload is a Size, or -1 for no limit.
type Upload int64

func (u *Upload) Set(text string) error {
	if text == "-1" {
		*u = -1
		return nil
	}
	return (*Size)(u).Set(text)
}

func (u *Upload) String() string { return (*Size)(u).String() }

func (u *Upload) Type() string { return "size" }

// Memory is a size above 0 for reading ahead, or "auto", which is stored as 0.
type Memory Size

func (m *Memory) Set(text string) error {
	if text == auto {
		*m = 0
		return nil
	}
	var s Size
	if err := s.Set(text); err != nil || s == 0 {
		return fmt.Errorf("%q is neither auto nor a size such as 256MiB%s", text, whole(text))
	}
	*m = Memory(s)
	return nil
}

func (m *Memory) String() string {
	if *m == 0 {
		return auto
	}
	return (*Size)(m).String()
}

func (m *Memory) Type() string { return "SIZE|auto" }

const autoMemory = 128 << 20

// Budget returns the memory for reading ahead. "auto" is a quarter of the memory that the
// process may use, and at most 128 MiB.
func (m *Memory) Budget() *blobstore.Memory {
	n := int64(*m)
	if limit := debug.SetMemoryLimit(-1); n == 0 && limit/4 < autoMemory {
		n = limit / 4
	}
	return blobstore.NewMemory(n)
}

// Warn logs a warning if less than half of the memory that the process may use is left
// for everything else.
func (m *Memory) Warn(log *slog.Logger) {
	if limit := debug.SetMemoryLimit(-1); int64(*m) > limit/2 {
		log.Warn("--memory is more than half of what the process may use", "memory", m.String(), "limit", limit)
	}
}
