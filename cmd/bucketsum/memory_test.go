package main

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestSlots(t *testing.T) {
	for text, want := range map[string]slots{"auto": autoSlots, "1": 1, "1000": 1000, "0": 0, "-3": -3} {
		var s slots
		if err := s.Set(text); err != nil || s != want || s.String() != text {
			t.Errorf("%q is %d (%s), %v", text, s, s.String(), err)
		}
	}
	for _, text := range []string{"", "many", "1.5", "Auto"} {
		if err := new(slots).Set(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]memorySize{"auto": 0, "1": 1, "1000": 1000, "256MiB": 256 << 20, "3GiB": 3 << 30, "1TiB": 1 << 40} {
		var b memorySize
		if err := b.Set(text); err != nil || b != want || b.String() != text {
			t.Errorf("%q is %d (%s), %v", text, b, b.String(), err)
		}
	}
	for _, text := range []string{"", "0", "-1", "MiB", "1.5GiB", "9223372036854775807KiB"} {
		if err := new(memorySize).Set(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// TestWarnOfMemory runs serve where what it is to read ahead does not fit.
func TestWarnOfMemory(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(200 << 20))
	for size, want := range map[string]bool{"auto": false, "100MiB": false, "101MiB": true} {
		status, _, stderr := call(t, nil, "serve", "--queue", "mem://queue", "--bucket", "file:///nowhere/at/all", "--listen", "off", "--memory", size)
		if warned := strings.Contains(stderr, "--memory is more than half"); status == exitOK || warned != want {
			t.Errorf("%s: status %d, %q", size, status, stderr)
		}
	}
}

func TestLimitMemory(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	t.Setenv("GOMEMLIMIT", "")
	for _, test := range []struct {
		file, content string
		want          int64
	}{
		{"memory.max", "1000000000\n", 900000000},
		{"memory.max", "max\n", math.MaxInt64},
		{"memory/memory.limit_in_bytes", "1000000000\n", 900000000},
		{"memory/memory.limit_in_bytes", "9223372036854771712\n", math.MaxInt64},
		{"other", "1000\n", math.MaxInt64},
	} {
		debug.SetMemoryLimit(math.MaxInt64)
		dir := t.TempDir()
		name := filepath.Join(dir, test.file)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		limitMemory(dir)
		if got := debug.SetMemoryLimit(-1); got != test.want {
			t.Errorf("%s %q: the limit is %d, want %d", test.file, test.content, got, test.want)
		}
	}
	debug.SetMemoryLimit(12345)
	t.Setenv("GOMEMLIMIT", "12345")
	limitMemory(t.TempDir())
	if got := debug.SetMemoryLimit(-1); got != 12345 {
		t.Errorf("the limit of the environment became %d", got)
	}
}
