package app

import (
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/bucketsum/bucketsum/handlers/web/live"
)

// TestStatusLine expects that the line never wraps, whatever the name and the width, and
// keeps the most important parts where there is little room.
func TestStatusLine(t *testing.T) {
	size := int64(4 << 30)
	for name, tc := range map[string]struct {
		key    string
		size   *int64
		others int
		cells  int
		want   string
	}{
		"wide":       {"films/a.mkv", &size, 2, 100, "━━━━━───────────────  25 % of 4.0 GiB  films/a.mkv, 2 more in work"},
		"narrow":     {"films/a-long-name-of-a-film.mkv", &size, 0, 40, " 25 % of 4.0 GiB  films/a-lo…-a-film.mkv"},
		"ideographs": {"映画/" + strings.Repeat("長", 40), &size, 0, 39, ""},
		"control":    {"a\nb\x1b[2J", &size, 0, 80, `━━━━━───────────────  25 % of 4.0 GiB  "a\nb\x1b[2J"`},
		"no size":    {"pipe", nil, 1, 80, "pipe, 1 more in work"},
		"tiny":       {"films/a.mkv", &size, 2, 10, " 25 % of 4"},
	} {
		t.Run(name, func(t *testing.T) {
			got := statusLine(live.Work{Key: tc.key, Size: tc.size, Read: 1 << 30}, tc.others, 0, tc.cells)
			if width := runewidth.StringWidth(got); width > tc.cells {
				t.Errorf("%q has %d cells of %d", got, width, tc.cells)
			}
			if tc.want != "" && got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}
