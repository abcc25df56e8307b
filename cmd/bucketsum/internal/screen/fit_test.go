package screen_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/screen"
)

func TestShorten(t *testing.T) {
	for _, tc := range []struct {
		name  string
		cells int
		want  string
	}{
		{"short", 5, "short"},
		{"films/a-long-name.mkv", 11, "films…e.mkv"},
		{"films/a-long-name.mkv", 1, "…"},
		{"films/a-long-name.mkv", 0, ""},
		{strings.Repeat("長", 10), 9, "長長…長長"},
		{strings.Repeat("長", 10), 8, "長… 長長"},
	} {
		got := screen.Shorten(tc.name, tc.cells)
		if got != tc.want {
			t.Errorf("%s in %d cells: got %q, want %q", tc.name, tc.cells, got, tc.want)
		}
		if n := screen.Cells(got); n > tc.cells {
			t.Errorf("%s in %d cells: got %d", tc.name, tc.cells, n)
		}
	}
}

func TestWrap(t *testing.T) {
	for text, want := range map[string][]string{
		"short":                       {"short"},
		"one two three four":          {"one two", "  three", "  four"},
		"a averyveryverylongword b":   {"a", "  averyveryverylongword", "  b"},
		"FAILED  長長長長: 長":             {"FAILED ", "  長長長長:", "  長"},
		"exactly 10":                  {"exactly 10"},
		"twelve cells and thirteen..": {"twelve", "  cells", "  and", "  thirteen.."},
	} {
		if diff := cmp.Diff(want, screen.Wrap(text, 10, "  ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
