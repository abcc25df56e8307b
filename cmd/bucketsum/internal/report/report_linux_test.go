package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/screen"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/terminal"
)

// TestSummedFits expects that the facts go before the name is cut, that the name is cut in its middle, and that a
// checksum never is.
func TestSummedFits(t *testing.T) {
	const md5, sha256 = "d41d8cd98f00b204e9800998ecf8427e", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	t.Setenv("TERM", "xterm")
	for _, tc := range []struct {
		columns    int // 0: no terminal
		algorithms string
		key        string
		want       []string
	}{
		{0, "md5", "films/" + strings.Repeat("長", 30), []string{md5 + "     5.0 GiB      1m0s  films/" + strings.Repeat("長", 30)}},
		{120, "md5", "a", []string{md5 + "     5.0 GiB      1m0s  a"}},
		{60, "md5", "a", []string{md5 + "     5.0 GiB      1m0s  a"}},
		{60, "md5", "films/a.mkv", []string{md5 + "     5.0 GiB  films/a.mkv"}},
		{60, "md5", "films/a-film-with-a-long-name.mkv", []string{md5 + "  films/a-film…long-name.mkv"}},
		{80, "sha256", "films/a-film-with-a-long-name.mkv", []string{"5.0 GiB  1m0s  films/a-film-with-a-long-name.mkv", sha256}},
		{60, "md5 sha256", "a\nb", []string{"md5     " + md5 + `     5.0 GiB  "a\nb"`, "sha256  " + sha256}},
	} {
		var out io.Writer = new(bytes.Buffer)
		if tc.columns > 0 {
			_, out = terminal.Open(t, tc.columns)
		}
		r := New(screen.New(out), strings.Fields(tc.algorithms), nil)
		got := r.summed(pipeline.Object{Key: tc.key, Size: 5 << 30}, map[string]string{"md5": md5, "sha256": sha256}, time.Minute)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s, %s at %d columns (-want +got):\n%s", tc.algorithms, tc.key, tc.columns, diff)
		}
	}
}

// TestFailureFits expects that a terminal gets a failure in full, in lines that fit.
func TestFailureFits(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	user, program := terminal.Open(t, 40)
	r := New(screen.New(program), []string{"md5"}, nil)
	r.Told("FAILED", strings.Repeat("n", 100), "permission denied: this user may not read it\x1b[2J")
	want := fmt.Sprintf("\r\x1b[KFAILED  %s…%s:\r\n  permission denied: this user may not\r\n  read it\\x1b[2J\r\n", strings.Repeat("n", 15), strings.Repeat("n", 15))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(user, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
