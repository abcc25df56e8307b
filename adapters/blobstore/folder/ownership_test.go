//go:build unix

package folder_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// What carries a record's file to another place with its modification time carries the ownership of the record, even if the
// object changed or was deleted on the way.
func TestRecordTravels(t *testing.T) {
	for name, carry := range map[string][]string{
		"mv":                 {"mv", "d", "x"},
		"cp -a":              {"cp", "-a", "d", "x"},
		"cp -a of the file":  {"sh", "-c", "mkdir x && cp -a d/a.md5 x/a.md5"},
		"as by rsync -a":     {"cp", "-r", "--preserve=timestamps", "d", "x"},
		"tar":                {"sh", "-c", "mkdir x && tar --format=pax -cC d . | tar -xC x"},
		"removed .bucketsum": {"sh", "-c", "rm -r .bucketsum && cp -a d x"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, changed := range []bool{true, false} {
				dir := t.TempDir()
				drivertest.WriteFile(t, filepath.Join(dir, "d/a"), "content")
				records := drivertest.OpenFolder(t, dir, blobstore.Config{}).Bucket().Records
				if err := pipelinetest.Save(t.Context(), records, drivertest.SumOf("d/a", "e1", "01")); err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), carry[0], carry[1:]...)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				sidecar, want := filepath.Join(dir, "x/a.md5"), drivertest.SumOf("x/a", "e2", "02")
				if _, err := os.Stat(sidecar); err != nil {
					t.Fatal(err)
				}
				if !changed {
					if removed, err := pipelinetest.Remove(t.Context(), records, want.Source); !removed || err != nil {
						t.Errorf("Remove: got %v, %v", removed, err)
					}
					if _, err := os.Lstat(sidecar); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("the record of the deleted object: %v", err)
					}
					continue
				}
				if err := pipelinetest.Save(t.Context(), records, want); err != nil {
					t.Error(err)
				}
				if got, err := os.ReadFile(sidecar); err != nil || string(got) != drivertest.LineOf(want) {
					t.Errorf("the record is %q, %v; want %q", got, err, drivertest.LineOf(want))
				}
			}
		})
	}
}

// A copy without its time is like a user's file: wrong, it is a claim.
func TestRecordWithoutMark(t *testing.T) {
	dir := t.TempDir()
	drivertest.WriteFile(t, filepath.Join(dir, "d/a"), "content")
	records := drivertest.OpenFolder(t, dir, blobstore.Config{}).Bucket().Records
	old := drivertest.SumOf("d/a", "e1", "01")
	if err := pipelinetest.Save(t.Context(), records, old); err != nil {
		t.Fatal(err)
	}
	sidecar := filepath.Join(dir, "x/a.md5")
	drivertest.WriteFile(t, sidecar, drivertest.LineOf(old))
	if err := pipelinetest.Save(t.Context(), records, drivertest.SumOf("x/a", "e2", "02")); !errors.Is(err, pipeline.ErrMismatch) {
		t.Errorf("got %v, want ErrMismatch", err)
	}
	if got, err := os.ReadFile(sidecar); err != nil || string(got) != drivertest.LineOf(old) {
		t.Errorf("it holds %q, %v now", got, err)
	}
}

// No user may read the record or the note of a file that this user may not read.
func TestPrivateFiles(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	for _, tc := range []struct{ object, record os.FileMode }{
		{0o644, 0o644}, {0o600, 0o600}, {0o640, 0o640}, {0o400, 0o400}, {0o444, 0o444}, {0o777, 0o644}, {0o604, 0o604},
	} {
		dir := t.TempDir()
		object := filepath.Join(dir, "a")
		drivertest.WriteFile(t, object, "content")
		records := drivertest.OpenFolder(t, dir, blobstore.Config{}).Bucket().Records
		r := drivertest.SumOf("a", "e1", "01")
		for _, mode := range []os.FileMode{0o666, tc.object} {
			if err := os.Chmod(object, mode); err != nil {
				t.Fatal(err)
			}
			if err := pipelinetest.Save(t.Context(), records, r); err != nil {
				t.Fatal(err)
			}
			r.Source.ETag, r.Source.Sequencer = "e2", "02" // a new mode is a new version
		}
		for _, name := range append(notes(t, dir), filepath.Join(dir, "a.md5")) {
			if info, err := os.Stat(name); err != nil || info.Mode() != tc.record {
				t.Errorf("of %v: %s has %v, %v; want %v", tc.object, name, info.Mode(), err, tc.record)
			}
		}
		for name, want := range map[string]os.FileMode{filebucket.Hidden: 0o700, filebucket.Hidden + "/records": 0o700, filebucket.Hidden + "/tmp": 0o700} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s has %v, %v; want %v", name, info.Mode(), err, want)
			}
		}
	}
}

// Users who may write to a folder share the notes, whether the folder allows that before or after its first record.
func TestSharedFolder(t *testing.T) {
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	for _, mode := range []os.FileMode{0o755, 0o775, 0o775 | os.ModeSetgid, 0o777 | os.ModeSticky, 0o750} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := store.CheckWritable(); err != nil {
			t.Fatal(err)
		}
		want := map[os.FileMode]os.FileMode{0o755: 0o700, 0o775: 0o770, 0o775 | os.ModeSetgid: 0o770 | os.ModeSetgid,
			0o777 | os.ModeSticky: 0o777 | os.ModeSticky, 0o750: 0o700}[mode]
		if info, err := os.Stat(filepath.Join(dir, filebucket.Hidden)); err != nil || info.Mode()&^os.ModeDir != want {
			t.Errorf("in a folder with %v: %v, %v; want %v", mode, info.Mode(), err, want)
		}
	}
}
