package powercut

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Tree is a folder: the content of its files, and its directories, by their paths in it.
type Tree map[string]Entry

// Entry is a file or a directory.
type Entry struct {
	Dir  bool
	Data string
}

// Read reads a folder. It must hold regular files and directories only.
func Read(dir string) (Tree, error) {
	t := make(Tree)
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		key, err := filepath.Rel(dir, name)
		switch {
		case err != nil:
		case e.IsDir():
			t[key] = Entry{Dir: true}
		case !e.Type().IsRegular():
			err = fmt.Errorf("%s is not a regular file", name)
		default:
			var data []byte
			data, err = os.ReadFile(name)
			t[key] = Entry{Data: string(data)}
		}
		return err
	})
	return t, err
}

// MemoryDir returns a directory in memory if the system has one, where syncs cost nothing; else one like
// that of t.TempDir. It is removed when the test ends.
func MemoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "powercut")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Restore makes a folder equal to the tree. It does not touch files that are as they should be:
// bucketsum knows the version of an object by its time of change, which no program can set.
func (t Tree) Restore(dir string) error {
	now, err := Read(dir)
	if err != nil {
		return err
	}
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(now))) { // files before their directory
		if want, ok := t[key]; !ok || want != now[key] {
			if err := os.Remove(filepath.Join(dir, key)); err != nil {
				return err
			}
			delete(now, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if _, ok := now[key]; ok {
			continue
		}
		name := filepath.Join(dir, key)
		if t[key].Dir {
			err = os.Mkdir(name, 0o777)
		} else {
			err = os.WriteFile(name, []byte(t[key].Data), 0o666)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// String lists the tree.
func (t Tree) String() string {
	var s strings.Builder
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if t[key].Dir {
			fmt.Fprintf(&s, "%s/\n", key)
		} else {
			fmt.Fprintf(&s, "%s %.200q\n", key, t[key].Data)
		}
	}
	return s.String()
}

// sum identifies the tree without the paths that do not matter.
func (t Tree) sum(scratch func(path string) bool) [sha256.Size]byte {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if scratch == nil || !scratch(key) {
			fmt.Fprintf(h, "%d %d %t %s%s", len(key), len(t[key].Data), t[key].Dir, key, t[key].Data)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
