package filebucket

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A folder with more names than may be held is read in parts. All names come, once, in order.
func TestWalkInParts(t *testing.T) {
	dir := t.TempDir()
	var want []string
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		name := fmt.Sprintf("%x%s", random.Uint32(), strings.Repeat("x", random.IntN(30)))
		if i%10 == 0 {
			name = filepath.Join("sub", name)
		}
		if i%50 == 0 {
			name = filepath.Join(fmt.Sprintf("%d", i), name)
		}
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		want = append(want, strings.TrimPrefix(name, dir+"/"))
	}
	slices.Sort(want)
	for _, limit := range []int{1, 100, 1000, namesLimit} {
		var got []string
		opened := 0
		w := &walker{
			open: func(key string) (*os.File, error) {
				opened++
				return os.Open(filepath.Join(dir, key))
			},
			wanted: func(string) bool { return true },
			visit: func(e Entry) error {
				if !e.Type.IsDir() {
					got = append(got, e.Key)
				}
				return e.Err
			},
			limit: limit,
		}
		if err := w.walk(""); err != nil || !slices.Equal(got, want) {
			t.Errorf("limit %d: got %d names, %v, want %d", limit, len(got), err, len(want))
		}
		if parts := opened > 22; parts != (limit < namesLimit) {
			t.Errorf("limit %d: folders were opened %d times", limit, opened)
		}
	}
}
