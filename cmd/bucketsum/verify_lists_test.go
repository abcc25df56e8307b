package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerifyAgainstSpellings: a list names objects as keys, beside itself, below data/ of a bag, or by the logical paths of an OCFL
// object. Each is found out, and one missing name stays missing.
func TestVerifyAgainstSpellings(t *testing.T) {
	const x = "9dd4e461268c8034f5c8564e155c67a6" // MD5 of "x"
	inventory := `{"digestAlgorithm":"md5","head":"v1","manifest":{"` + x + `":["v1/content/a","v1/content/b","v1/content/gone"]},` +
		`"versions":{"v1":{"state":{"` + x + `":["a","b","gone"]}}}}`
	lines := func(names ...string) string {
		var b strings.Builder
		for _, name := range names {
			fmt.Fprintf(&b, "%s  %s\n", x, name)
		}
		return b.String()
	}
	for _, test := range []struct {
		name    string
		objects []string
		list    string // name
		text    string
		inside  bool // the list is an object of the bucket
		missing string
	}{
		{"a whole bag", []string{"data/a", "data/b"}, "manifest-md5.txt", lines("data/a", "data/b", "data/gone"), false, "data/gone"},
		{"the payload of a bag", []string{"a", "b"}, "manifest-md5.txt", lines("data/a", "data/b", "data/gone"), false, "gone"},
		{"a bag in the bucket", []string{"bags/1/data/a", "bags/1/data/b"}, "bags/1/manifest-md5.txt", lines("data/a", "data/b", "data/gone"), true, "bags/1/data/gone"},
		{"a list in the bucket", []string{"d/a", "d/b"}, "d/MD5SUMS", lines("a", "b", "gone"), true, "d/gone"},
		{"keys", []string{"d/a", "d/b"}, "MD5SUMS", lines("d/a", "./d/b", "d/gone"), false, "d/gone"},
		{"OCFL content", []string{"v1/content/a", "v1/content/b"}, "inventory.json", inventory, false, "v1/content/gone"},
		{"OCFL logical", []string{"a", "b"}, "inventory.json", inventory, false, "gone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "photos")
			for _, name := range test.objects {
				manifestPut(t, dir, name, "x")
			}
			list := filepath.Join(t.TempDir(), test.list)
			if test.inside {
				manifestPut(t, dir, test.list, test.text)
				list = "file://" + dir + "/" + test.list
			} else if err := os.WriteFile(list, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			status, stdout, stderr := call(t, nil, "verify", "--format", "json", "--against", list, "file://"+dir)
			want := fmt.Sprintf(`"key":%q,"state":"missing"`, test.missing)
			if status != exitFailed || strings.Count(stdout, `"state":"ok"`) != 2 || strings.Count(stdout, `"state":"missing"`) != 1 || !strings.Contains(stdout, want) {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
		})
	}
}
