package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestLimitMemory runs the program in a mount namespace where /proc describes other
// control groups, whose files are in a folder of the test.
func TestLimitMemory(t *testing.T) {
	const (
		v1 = "9:name=systemd:/a/b\n4:cpu,memory:/a/b\n0::/\n"

		mounts   = "30 25 0:26 / DIR rw - cgroup2 cgroup2 rw\n31 25 0:27 / DIR/memory rw - cgroup cgroup rw,memory\n"
		bindOfV1 = "31 25 0:27 /a/b DIR/memory rw - cgroup cgroup rw,memory\n" // as container engines make it
	)
	for name, test := range map[string]struct {
		own, mounts string // of /proc/self/cgroup and /proc/self/mountinfo
		files       map[string]string
		environ     string // GOMEMLIMIT
		want        int64
	}{
		"v2":             {"0::/\n", mounts, map[string]string{"memory.max": "1000000000\n"}, "", 900000000},
		"v2, none":       {"0::/\n", mounts, map[string]string{"memory.max": "max\n"}, "", math.MaxInt64},
		"v2, of a unit":  {"0::/a/b\n", mounts, map[string]string{"a/b/memory.max": "1000\n", "a/memory.max": "max\n"}, "", 900},
		"v2, of a slice": {"0::/a/b\n", mounts, map[string]string{"a/b/memory.max": "2000\n", "a/memory.max": "1000\n"}, "", 900},
		"v2, of others":  {"0::/a/b\n", mounts, map[string]string{"c/memory.max": "1000\n", "a/c/memory.max": "1000\n"}, "", math.MaxInt64},
		"v2, elsewhere":  {"0::/../../a\n", mounts, map[string]string{"memory.max": "1000\n"}, "", math.MaxInt64},
		"v1":             {v1, mounts, map[string]string{"memory/a/b/memory.limit_in_bytes": "1000\n"}, "", 900},
		"v1, of a slice": {v1, mounts, map[string]string{"memory/a/b/memory.limit_in_bytes": "2000\n", "memory/a/b/memory.stat": "hierarchical_memory_limit 1000\n"}, "", 900},
		"v1, container":  {v1, bindOfV1, map[string]string{"memory/memory.limit_in_bytes": "1000\n"}, "", 900},
		"v1, none":       {v1, mounts, map[string]string{"memory/a/b/memory.limit_in_bytes": "9223372036854771712\n"}, "", math.MaxInt64},
		"nothing":        {v1, mounts, map[string]string{"other": "1000\n"}, "", math.MaxInt64},
		"unknown":        {"", mounts, map[string]string{"memory.max": "1000\n"}, "", math.MaxInt64},
		"GOMEMLIMIT":     {"0::/\n", mounts, map[string]string{"memory.max": "1000\n"}, "12345", 12345},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := map[string]string{"own": test.own, "mounts": strings.ReplaceAll(test.mounts, "DIR", dir)}
			for file, content := range test.files {
				files[file] = content
			}
			for file, content := range files {
				file = filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			script := `mount --bind "$0/own" /proc/$$/cgroup && mount --bind "$0/mounts" /proc/$$/mountinfo && exec "$1"`
			cmd := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", script, dir, exe)
			cmd.Env = append(os.Environ(), printsMemoryLimit+"=1", "GOMEMLIMIT="+test.environ, "GOCOVERDIR="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil && os.Getenv("CI") == "" {
				t.Skipf("this system does not allow the namespace: %v %s", err, out)
			}
			if got, bad := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64); bad != nil || got != test.want {
				t.Errorf("the limit is %s, want %d", out, test.want)
			}
		})
	}
}
