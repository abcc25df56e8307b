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
	const v1 = "9:name=systemd:/a/b\n4:cpu,memory:/a/b\n0::/\n"
	for name, test := range map[string]struct {
		own   string
		files map[string]string
		want  int64
	}{
		"v2":             {"0::/\n", map[string]string{"memory.max": "1000000000\n"}, 900000000},
		"v2, none":       {"0::/\n", map[string]string{"memory.max": "max\n"}, math.MaxInt64},
		"v2, of a unit":  {"0::/a/b\n", map[string]string{"a/b/memory.max": "1000\n", "a/memory.max": "max\n"}, 900},
		"v2, of a slice": {"0::/a/b\n", map[string]string{"a/b/memory.max": "2000\n", "a/memory.max": "1000\n"}, 900},
		"v2, of others":  {"0::/a/b\n", map[string]string{"c/memory.max": "1000\n", "a/c/memory.max": "1000\n"}, math.MaxInt64},
		"v2, elsewhere":  {"0::/../../a\n", map[string]string{"memory.max": "1000\n"}, 900},
		"unknown":        {"", map[string]string{"memory.max": "1000\n"}, 900},
		"v1":             {v1, map[string]string{"memory/a/b/memory.limit_in_bytes": "1000\n"}, 900},
		"v1, container":  {v1, map[string]string{"memory/memory.limit_in_bytes": "1000\n"}, 900},
		"v1, none":       {v1, map[string]string{"memory/memory.limit_in_bytes": "9223372036854771712\n"}, math.MaxInt64},
		"nothing":        {v1, map[string]string{"other": "1000\n"}, math.MaxInt64},
	} {
		debug.SetMemoryLimit(math.MaxInt64)
		dir := t.TempDir()
		test.files["own"] = test.own
		for file, content := range test.files {
			file = filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		limitMemory(dir, filepath.Join(dir, "own"))
		if got := debug.SetMemoryLimit(-1); got != test.want {
			t.Errorf("%s: the limit is %d, want %d", name, got, test.want)
		}
	}
	debug.SetMemoryLimit(12345)
	t.Setenv("GOMEMLIMIT", "12345")
	limitMemory(t.TempDir(), "")
	if got := debug.SetMemoryLimit(-1); got != 12345 {
		t.Errorf("the limit of the environment became %d", got)
	}
}
