package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
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

// String implements pflag.Value.
func (s *byteSize) String() string {
	for _, u := range byteUnits[:4] {
		if n := int64(*s); n > 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Set implements pflag.Value.
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
		return fmt.Errorf("%q is no size; valid are for example 4GiB, 500MB, 4294967296", text)
	}
	*s = byteSize(n * unit)
	return nil
}

// Type implements pflag.Value.
func (s *byteSize) Type() string { return "size" }
