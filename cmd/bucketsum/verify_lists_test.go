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
		{"paths of Windows", []string{"d/a", "d/b"}, "hashes.csv", "\"Algorithm\",\"Hash\",\"Path\"\r\n\"MD5\",\"" + x + "\",\"d\\a\"\r\n\"MD5\",\"" + x + "\",\"d\\b\"\r\n\"MD5\",\"" + x + "\",\"d\\gone\"\r\n", false, "d/gone"},
		{"certutil", []string{"a", "b"}, "list", "MD5 hash of a:\r\n" + x + "\r\nMD5 hash of b:\r\n" + x + "\r\nMD5 hash of gone:\r\n" + x + "\r\n", false, "gone"},
		{"JSON of sum", []string{"a", "b"}, "list", `{"name":"./a","checksums":{"md5":"` + x + `"}}` + "\n" + `{"name":"b","checksums":{"md5":"` + x + `"}}` + "\n" + `{"name":"gone","checksums":{"md5":"` + x + `"}}`, false, "gone"},
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

// TestVerifyAgainstOtherAlgorithms: records, and so verify, have fewer algorithms than sum computes.
func TestVerifyAgainstOtherAlgorithms(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "photos")
	manifestPut(t, dir, "a", "x")
	for text, say := range map[string]string{
		"; SFV\na 8CDC1683\n":                      "it has no checksums of objects that this pass is about; checksums of crc32 were left out: 1",
		"WHIRLPOOL (a) = 8CDC1683\n":               "line 1: not a checksum line: WHIRLPOOL is not known",
		"XXH64 (a) = 5c80c09683041123\nMD5 (a) = ": "checksums of xxh64 were left out: 1",
	} {
		list := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, stdout, stderr := call(t, nil, "verify", "--against", list, "file://"+dir); status == exitOK || !strings.Contains(stderr, say) {
			t.Errorf("%q: status %d\n%s%s", text, status, stdout, stderr)
		}
	}
}
