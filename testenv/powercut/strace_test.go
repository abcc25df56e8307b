package powercut

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParse reads calls of two threads that are in each other's way.
func TestParse(t *testing.T) {
	output := quoted.ReplaceAllStringFunc(`7 execve("/prog", ["prog"], 0x7ffe /* 9 vars */) = 0
7 openat(5</d>, "t", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0666) = 6</d/t>
7 write(6</d/t>, "one", 3 <unfinished ...>
8 fsync(6</d/t> <unfinished ...>
7 <... write resumed>)              = 3
7 write(6</d/t>, "two", 3)          = 3
8 <... fsync resumed>)              = 0
8 unlinkat(5</d>, "none", 0)        = -1 ENOENT (No such file or directory)
8 linkat(5</d>, "t", 5</d>, "f", 0) = 0
7 write(1<pipe:[77]>, "done", 4 <unfinished ...>
8 unlinkat(5</d>, "t", 0)           = 0
7 <... write resumed>)              = 4
7 write(9</other>, "x", 1)          = 1
7 +++ exited with 0 +++
`, func(s string) string {
		text := ""
		for _, b := range []byte(s[1 : len(s)-1]) {
			text += `\x` + hex.EncodeToString([]byte{b})
		}
		return s[:1] + text + s[len(s)-1:]
	})
	calls, err := parseCalls([]byte(output))
	if err != nil {
		t.Fatal(err)
	}
	ops, err := opsOf("/d", calls)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range ops {
		s := o.String()
		if o.Kind == Write {
			s += fmt.Sprint(" at ", o.Offset)
		}
		got = append(got, s)
	}
	want := []string{"create t", "write t (3 bytes) at 0", "write t (3 bytes) at 3", "sync t", "link t to f", `print "done"`, "remove t"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	// The sync began before the first write had ended, and so keeps none of them.
	states, err := Log{Before: Tree{}, Ops: ops[:4]}.States(Choose{})
	if err != nil {
		t.Fatal(err)
	}
	lost := false
	for _, s := range states {
		e, ok := s.Tree["t"]
		lost = lost || ok && e.Data == "" && s.Moment == 3
	}
	if !lost {
		t.Error("no power cut loses what was written while the file was synced")
	}
}

var quoted = regexp.MustCompile(`"[^"]*"|</[^>]*>`)
