package filebucket_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

func TestWalk(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"b", "a/x", "a-", "a.b", "a/.bucketsum/records/1", ".bucketsum/tmp/1", "a/file/.bucketsum", "skipped/x", "z\xff/y\xff",
	} {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, nil, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(dir+"/empty", 0o777), os.Symlink("a", dir+"/link")); err != nil {
		t.Fatal(err)
	}
	open := func(key string) (*os.File, error) { return os.Open(filepath.Join(dir, key)) }
	var got []string
	err := filebucket.Walk(open, func(e filebucket.Entry) error {
		if e.Err != nil {
			t.Errorf("%q: %v", e.Key, e.Err)
		}
		got = append(got, fmt.Sprintf("%s %q %t", e.Type.Type(), e.Key, e.HasHidden))
		if e.Key == "skipped/" {
			return fs.SkipDir
		}
		return nil
	})
	want := []string{
		`d--------- "" true`,
		`---------- "a-" false`,
		`---------- "a.b" false`,
		`d--------- "a/" true`,
		`d--------- "a/file/" false`,
		`---------- "a/file/.bucketsum" false`,
		`---------- "a/x" false`,
		`---------- "b" false`,
		`d--------- "empty/" false`,
		`L--------- "link" false`,
		`d--------- "skipped/" false`,
		`d--------- "z\xff/" false`,
		`---------- "z\xff/y\xff" false`,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, entries (-want +got):\n%s", err, diff)
	}
}

func TestWalkEnds(t *testing.T) {
	stop, closed := errors.New("stop"), errors.New("closed")
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/a", 0o777), os.WriteFile(dir+"/b", nil, 0o666), os.WriteFile(dir+"/c", nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	open := func(key string) (*os.File, error) {
		if key == "a/" {
			return nil, closed
		}
		return os.Open(filepath.Join(dir, key))
	}
	var got []string
	err := filebucket.Walk(open, func(e filebucket.Entry) error {
		got = append(got, fmt.Sprint(e.Key, " ", e.Err))
		if e.Key == "b" {
			return stop
		}
		return nil
	})
	want := []string{" <nil>", "a/ closed", "b <nil>"}
	if diff := cmp.Diff(want, got); diff != "" || err != stop {
		t.Errorf("error %v, want %v; entries (-want +got):\n%s", err, stop, diff)
	}
}

// What is not wanted is not opened.
func TestWalkOnly(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/x", "b/x", "b/y", "b/c/z", "d"} {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, nil, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	var opened, got []string
	open := func(key string) (*os.File, error) {
		opened = append(opened, key)
		return os.Open(filepath.Join(dir, key))
	}
	err := filebucket.WalkOnly(open, func(key string) bool { return key == "b/" || key == "b/y" }, func(e filebucket.Entry) error {
		got = append(got, e.Key)
		return e.Err
	})
	if diff := cmp.Diff([][]string{{"", "b/"}, {"", "b/", "b/y"}}, [][]string{opened, got}); diff != "" || err != nil {
		t.Errorf("error %v, opened and visited (-want +got):\n%s", err, diff)
	}
}
