package folder

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
)

// TestDirect asserts which files are opened directly, and that the result is that of
// os.Root.
func TestDirect(t *testing.T) {
	above := t.TempDir()
	dir := filepath.Join(above, "folder")
	secret := filepath.Join(above, "secret")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700),
		os.WriteFile(secret, []byte("secret"), 0o600),
		os.WriteFile(filepath.Join(dir, "x"), []byte("x"), 0o600),
		os.WriteFile(filepath.Join(dir, "a", "b", "x"), []byte("abx"), 0o600),
		os.Symlink("x", filepath.Join(dir, "link")),
		os.Symlink("a", filepath.Join(dir, "inside")),
		os.Symlink("..", filepath.Join(dir, "up")),
		os.Symlink(above, filepath.Join(dir, "outside")),
		os.Symlink(secret, filepath.Join(dir, "a", "secret")),
		unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, _, ok := openDirect(unix.AT_FDCWD, filepath.Join(dir, "x")); ok {
		t.Error("an absolute name was opened")
	}
	opened, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	folder := opened.(*bucket)
	store := blobstore.New(folder, "test", blobstore.Config{})
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	direct := true
	if _, _, ok := folder.openDirect("x"); !ok {
		direct = false // the kernel is too old, or a sandbox forbids it
	}
	for key, want := range map[string]struct {
		content string
		direct  bool
		err     error
	}{
		"x":              {"x", true, nil},
		"a/b/x":          {"abx", true, nil},
		"link":           {"x", false, nil},
		"inside/b/x":     {"abx", false, nil},
		"up/secret":      {"", false, errRefused},
		"up/folder/x":    {"x", false, nil}, // out and in again
		"outside/secret": {"", false, errRefused},
		"a/secret":       {"", false, errRefused},
		"fifo":           {"", false, pipeline.ErrFiltered},
		"a":              {"", false, pipeline.ErrFiltered},
		"none":           {"", false, pipeline.ErrNotFound},
		"x/y":            {"", false, pipeline.ErrNotFound},
	} {
		var named unix.Stat_t
		if err := look(int(folder.self.Fd()), key, &named); direct && (err == nil && isRegular(&named)) != want.direct {
			t.Errorf("%s: look: got mode %o, %v; want a file: %v", key, named.Mode, err, want.direct)
		}
		version, looked := folder.statDirect(key)
		c, opened, ok := folder.openDirect(key)
		if ok {
			got, err := io.ReadAll(c)
			if err := errors.Join(err, c.Close()); err != nil || string(got) != want.content {
				t.Errorf("%s: opened directly: got %q, %v; want %q", key, got, err, want.content)
			}
			if _, info, err := folder.find(key); err != nil || version != opened || opened.Size != info.Size() {
				t.Errorf("%s: versions %v and %v, %v", key, version, opened, err)
			}
		}
		if looked != (want.direct && direct) || ok != looked {
			t.Errorf("%s: looked at directly: %v, opened directly: %v, want %v", key, looked, ok, want.direct)
		}
		r, err := store.Open(t.Context(), pipeline.Object{Key: key, Size: pipeline.UnknownSize})
		if err != nil {
			if want.err == nil || want.err != errRefused && !errors.Is(err, want.err) ||
				want.err == errRefused && !strings.Contains(err.Error(), "leads out of the bucket") {
				t.Errorf("%s: %v, want %v", key, err, want.err)
			}
			continue
		}
		got, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); want.err != nil || err != nil || string(got) != want.content {
			t.Errorf("%s: got %q, %v; want %q, %v", key, got, err, want.content, want.err)
		}
	}
}

var errRefused = errors.New("it leads out of the bucket")

// TestDirectAfterClose asks a closed folder for a file of another folder, which has got
// the same descriptor.
func TestDirectAfterClose(t *testing.T) {
	opened, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	folder := opened.(*bucket)
	store := blobstore.New(folder, "test", blobstore.Config{})
	was := folder.self.Fd()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "x"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(other)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	// The system gives the first free number from this one on.
	again, err := unix.FcntlInt(dir.Fd(), unix.F_DUPFD_CLOEXEC, int(was))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(again)
	if again != int(was) && dir.Fd() != was {
		t.Fatalf("descriptor %d is not that of the other folder, which has %d and %d", was, dir.Fd(), again)
	}
	o := pipeline.Object{Key: "x", Size: pipeline.UnknownSize}
	if r, err := store.Open(t.Context(), o); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Open: %v, %v", r, err)
	}
	if _, err := store.Stat(t.Context(), o); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Stat: %v", err)
	}
}
