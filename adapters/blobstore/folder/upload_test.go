package folder_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// uploaded writes a file by an upload.
func uploaded(t *testing.T, s *blobstore.Store, key, content string, c driver.Replace) (driver.State, error) {
	t.Helper()
	u, err := s.Create(key)
	if err != nil {
		return driver.State{}, err
	}
	defer func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := u.Write([]byte(content)); err != nil {
		return driver.State{}, err
	}
	return u.Place(c)
}

// leftovers returns the files that uploads have left.
func leftovers(t *testing.T, dir string) (left []string) {
	t.Helper()
	for _, pattern := range []string{".bucketsum/uploads/*", "*/.bucketsum/uploads/*"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, names...)
	}
	return left
}

// TestUploadConditions: what may replace what. The ETag is that which a look returns.
func TestUploadConditions(t *testing.T) {
	dir := t.TempDir()
	s := drivertest.OpenFolder(t, dir, blobstore.Config{})
	first, err := uploaded(t, s, "a/b", "one", driver.Replace{})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "a", "b"))
	if err != nil || filebucket.VersionOf(info).ETag() != first.ETag || first.Size != 3 {
		t.Errorf("the state is %+v, %v", first, err)
	}
	for _, step := range []struct {
		name, key string
		replace   driver.Replace
		want      error
	}{
		{"no replacement", "a/b", driver.Replace{}, pipeline.ErrChanged},
		{"another version", "a/b", driver.Replace{ETag: "1-2"}, pipeline.ErrChanged},
		{"the version", "a/b", driver.Replace{ETag: first.ETag}, nil},
		{"the version before", "a/b", driver.Replace{ETag: first.ETag}, pipeline.ErrChanged},
		{"any that is there", "a/b", driver.Replace{There: true}, nil},
		{"none is there", "a/c", driver.Replace{There: true}, pipeline.ErrChanged},
		{"none is there, by version", "a/c", driver.Replace{ETag: first.ETag}, pipeline.ErrChanged},
		{"any", "a/b", driver.Replace{Any: true}, nil},
		{"none, in a new folder", "x/y/z", driver.Replace{Any: true}, nil},
		{"none of a missing folder", "q/y", driver.Replace{There: true}, pipeline.ErrChanged},
	} {
		before, _ := os.ReadFile(filepath.Join(dir, step.key))
		_, err := uploaded(t, s, step.key, step.name, step.replace)
		if !errors.Is(err, step.want) {
			t.Errorf("%s: error %v, want %v", step.name, err, step.want)
		}
		want := step.name
		if step.want != nil {
			want = string(before)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, step.key)); string(got) != want {
			t.Errorf("%s: the file has %q, want %q", step.name, got, want)
		}
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "q")); err == nil {
		t.Error("a refused upload has made a folder")
	}
}

// TestUploadKeys: keys that no file may have. Nothing is written, inside or outside of the folder.
func TestUploadKeys(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	s := drivertest.OpenFolder(t, dir, blobstore.Config{})
	for _, name := range []string{"inner/.bucketsum/records", "real"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"out": outside, "in": "real", "loop": "loop", "file": filepath.Join(outside, "x")} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"", ".", "..", "../x", "a/../../x", "a/..", "a/./b", "/etc/x", "//x", "a//b", "a/", "x\x00y", "x\xffy",
		"out/x", "out/y/z", "in/x", "loop/x", "loop", "file", "out", "real", "plain/x",
		"inner/x", "inner/y/x", "a.md5", "b/a.sha256", ".bucketsum/x", ".bucketsum/records/aa/b.json", "a/.bucketsum/x", ".bucketsum",
		strings.Repeat("n", 256), strings.Repeat("n", 256) + "/x", strings.Repeat("d/", 3000) + "x",
	} {
		_, err := uploaded(t, s, key, "content", driver.Replace{Any: true})
		if pipeline.Classify(err) != pipeline.ClassPermanent {
			t.Errorf("%.40q: %v, want a permanent error", key, err)
		}
	}
	var files []string
	for _, root := range []string{outside, dir} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && d.Name() != ".gitignore" && d.Name() != "plain" {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) > 0 {
		t.Errorf("written: %q", files)
	}
}

// TestUploadsAreCleanedUp: a process that was killed leaves a file, which the next one removes. Others leave it alone,
// however old it is.
func TestUploadsAreCleanedUp(t *testing.T) {
	dir := t.TempDir()
	s := drivertest.OpenFolder(t, dir, blobstore.Config{})
	u, err := s.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, dir); len(left) != 1 {
		t.Fatalf("under way: %q", left)
	}
	old, long := leftovers(t, dir)[0], time.Now().Add(-24*time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	drivertest.OpenFolder(t, dir, blobstore.Config{})
	if left := leftovers(t, dir); len(left) != 1 {
		t.Errorf("another process has removed the upload: %q", left)
	}
	if err := s.CleanUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, dir); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
	if _, err := u.Place(driver.Replace{}); err == nil {
		t.Error("a file that is gone was placed")
	}
	if err := u.Close(); err != nil {
		t.Error(err)
	}
}
