package ext4_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/bucketsum/bucketsum/testenv/powercut/ext4"
)

// TestCut: what was synced survives, once and again, and what was not synced is lost.
func TestCut(t *testing.T) {
	d := ext4.New(t)
	write := func(name string, sync bool) {
		t.Helper()
		f, err := os.Create(filepath.Join(d.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(name); err != nil {
			t.Fatal(err)
		}
		if !sync {
			return
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	for _, kept := range []string{"first", "second"} {
		write(kept, true)
		write(kept+", not synced", false)
		d.Cut()
		if got, err := os.ReadFile(filepath.Join(d.Dir, kept)); string(got) != kept {
			t.Errorf("%s was synced: got %q, %v", kept, got, err)
		}
		if _, err := os.Stat(filepath.Join(d.Dir, kept+", not synced")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s, not synced, is there: %v", kept, err)
		}
	}
}
