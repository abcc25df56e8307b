package folder_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// A file that is replaced by another one of the same time and size (tar, cp -p,
// SOURCE_DATE_EPOCH), or written to with its time set back, is a new version.
func TestSameTimeAndSize(t *testing.T) {
	at := time.Unix(1_000_000_000, 0)
	for _, name := range []string{"plain", "odd\nname"} {
		for how, change := range map[string]func(path string) error{
			"replaced": func(path string) error {
				return errors.Join(os.WriteFile(path+".new", []byte("two"), 0o666), os.Chtimes(path+".new", at, at), os.Rename(path+".new", path))
			},
			"written to": func(path string) error {
				return errors.Join(os.WriteFile(path, []byte("two"), 0o666), os.Chtimes(path, at, at))
			},
		} {
			t.Run(how+" "+name, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, name)
				drivertest.WriteFile(t, path, "one")
				store := drivertest.OpenFolder(t, dir, blobstore.Config{})
				if err := os.Chtimes(path, at, at); err != nil {
					t.Fatal(err)
				}
				old, err := store.Stat(t.Context(), drivertest.Object(name))
				if err != nil {
					t.Fatal(err)
				}
				afterTick(t, dir)
				if err := change(path); err != nil {
					t.Fatal(err)
				}
				now, err := store.Stat(t.Context(), drivertest.Object(name))
				if err != nil || now.SameVersion(old) {
					t.Errorf("Stat: %+v, %v; was %+v", now, err, old)
				}
				if _, err := store.Open(t.Context(), old); !errors.Is(err, pipeline.ErrChanged) {
					t.Errorf("Open of the old version: got %v, want ErrChanged", err)
				}
				r, err := store.Open(t.Context(), now)
				if err != nil || r.Object() != now {
					t.Fatalf("Open: %v", err)
				}
				r.Close()
			})
		}
	}
}

// afterTick returns when the clock of the system's file times has advanced.
func afterTick(t *testing.T, dir string) {
	t.Helper()
	probe := filepath.Join(dir, "tick")
	stamp := func() time.Time {
		drivertest.WriteFile(t, probe, "x")
		info, err := os.Stat(probe)
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	for first := stamp(); stamp().Equal(first); {
		continue
	}
	if err := os.Remove(probe); err != nil {
		t.Fatal(err)
	}
}

// A file that is written to while it is read is of no version.
func TestReadWhileWritten(t *testing.T) {
	for _, name := range []string{"plain", "odd\nname"} {
		for change, f := range map[string]func(file *os.File) error{
			"shorter":  func(file *os.File) error { return file.Truncate(100) },
			"empty":    func(file *os.File) error { return file.Truncate(0) },
			"longer":   func(file *os.File) error { _, err := file.WriteString("more"); return err },
			"vanished": func(file *os.File) error { return os.Remove(file.Name()) },
		} {
			t.Run(fmt.Sprintf("%q %s", name, change), func(t *testing.T) {
				dir := t.TempDir()
				store := drivertest.OpenFolder(t, dir, blobstore.Config{})
				path := filepath.Join(dir, name)
				drivertest.WriteFile(t, path, strings.Repeat("x", 1<<20))
				r, err := store.Open(t.Context(), drivertest.Object(name))
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
					t.Fatal(err)
				}
				file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				if err := f(file); err != nil {
					t.Fatal(err)
				}
				// io.Copy, which would use WriteTo instead of Read if there were one.
				_, err = io.Copy(io.Discard, r)
				now, statErr := store.Stat(t.Context(), drivertest.Object(name))
				if change == "vanished" {
					if err != nil || !errors.Is(statErr, pipeline.ErrNotFound) {
						t.Errorf("read: %v, Stat: %v; want nil and ErrNotFound", err, statErr)
					}
					return
				}
				if !errors.Is(err, pipeline.ErrChanged) {
					t.Errorf("got %v, want ErrChanged", err)
				}
				if now.SameVersion(r.Object()) {
					t.Errorf("Stat: got the old version %+v", now)
				}
			})
		}
	}
}

// Other than regular files are neither read nor waited for.
func TestIrregularFiles(t *testing.T) {
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, pipe := range []string{"pipe", "odd\npipe"} {
		if err := syscall.Mkfifo(filepath.Join(dir, pipe), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir) // the path of a socket must be short
	socket, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for link, target := range map[string]string{"to-pipe": "pipe", "to-folder": "folder"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"folder", "pipe", "odd\npipe", "socket", "to-pipe", "to-folder"} {
		_, err := drivertest.Read(t, store, key)
		if !errors.Is(err, pipeline.ErrFiltered) || pipeline.Classify(err) != pipeline.ClassSuperseded {
			t.Errorf("Open(%q): got %v, want ErrFiltered", key, err)
		}
		// A caller that asks whether the object still exists learns that it does not.
		if _, err := store.Stat(t.Context(), drivertest.Object(key)); !errors.Is(err, pipeline.ErrFiltered) || !errors.Is(err, pipeline.ErrNotFound) {
			t.Errorf("Stat(%q): got %v, want ErrFiltered and ErrNotFound", key, err)
		}
	}
}

func TestSymbolicLinks(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(t.TempDir(), "inbox")
	drivertest.WriteFile(t, filepath.Join(outside, "secret"), "secret")
	drivertest.WriteFile(t, filepath.Join(dir, "sub", "file"), "content")
	for link, target := range map[string]string{
		"relative":       "sub/file",
		"sub/up":         "../sub/file",
		"absolute":       filepath.Join(dir, "sub", "file"),
		"folder":         "sub",
		"absolute-dir":   filepath.Join(dir, "sub"),
		"chain":          "absolute",
		"out":            filepath.Join(outside, "secret"),
		"out-relative":   "../../" + filepath.Base(filepath.Dir(outside)) + "/" + filepath.Base(outside) + "/secret",
		"out-of-nothing": "../nothing",
		"out-dir":        outside,
		"dangling":       "nothing",
		"loop":           "loop",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	// The folder itself may be opened through a link.
	linked := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, linked); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{dir, linked} {
		store := drivertest.OpenFolder(t, dir, blobstore.Config{})
		for _, key := range []string{"relative", "sub/up", "absolute", "folder/file", "absolute-dir/file", "chain"} {
			if got, err := drivertest.Read(t, store, key); err != nil || got != "content" {
				t.Errorf("%s: got %q, %v", key, got, err)
			}
		}
		for _, key := range []string{"out", "out-relative", "out-of-nothing", "out-dir/secret"} {
			got, err := drivertest.Read(t, store, key)
			if pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(fmt.Sprint(err), "leads out of the bucket") {
				t.Errorf("%s: got %q, %v; want a permanent error that says why", key, got, err)
			}
			// There is no such object, so that the record of a file that was there can be removed.
			if _, err := store.Stat(t.Context(), drivertest.Object(key)); pipeline.Classify(err) != pipeline.ClassPermanent || !errors.Is(err, pipeline.ErrNotFound) {
				t.Errorf("Stat(%s): got %v, want a permanent error that says that there is no object", key, err)
			}
		}
		if _, err := drivertest.Read(t, store, "dangling"); !errors.Is(err, pipeline.ErrNotFound) {
			t.Errorf("dangling: got %v, want ErrNotFound", err)
		}
		if _, err := drivertest.Read(t, store, "loop"); pipeline.Classify(err) != pipeline.ClassPermanent {
			t.Errorf("loop: got %v, want a permanent error", err)
		}
	}
}

// The file is replaced by a link between the look at it and its opening.
func TestFileBecomesALink(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	dir := t.TempDir()
	drivertest.WriteFile(t, secret, "secret")
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	for _, name := range []string{"plain", "odd\nname"} {
		path := filepath.Join(dir, name)
		drivertest.WriteFile(t, path, "content")
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				drivertest.WriteFile(t, path+".new", "content")
				err := os.Rename(path+".new", path)
				err = errors.Join(err, os.Symlink(secret, path+".new"), os.Rename(path+".new", path))
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		for range 1000 {
			got, err := drivertest.Read(t, store, name)
			if strings.Contains(got, "secret") {
				t.Errorf("%q: read outside of the folder", name)
				break
			}
			if err == nil && got != "content" {
				t.Errorf("%q: got %q", name, got)
			}
		}
		close(stop)
		wg.Wait()
	}
}

// .attrs files of the user are objects, not gocloud's metadata.
func TestAttrsFilesAreObjects(t *testing.T) {
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	want := map[string]string{"a": "content", "a.attrs": "not JSON", "b": "content", "b.attrs.attrs": "", "c": "x"}
	for key, content := range want {
		drivertest.WriteFile(t, filepath.Join(dir, key), content)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "c.attrs"), 0o666); err != nil {
		t.Fatal(err)
	}
	for key, content := range want {
		if got, err := drivertest.Read(t, store, key); err != nil || got != content {
			t.Errorf("%s: got %q, %v", key, got, err)
		}
	}
}

func TestDeepPaths(t *testing.T) {
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	deep := strings.Repeat(strings.Repeat("d", 250)+"/", 18) // longer than the system accepts in one call
	if err := root.MkdirAll(deep, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := root.WriteFile(deep+"a", []byte("content"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := drivertest.Read(t, store, deep+"a"); err != nil || got != "content" {
		t.Errorf("got %q, %v", got, err)
	}
	o := drivertest.Object(deep + "a")
	o.ETag = "e"
	if err := pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.Record(o)); err != nil {
		t.Error(err)
	}
	if line, err := root.ReadFile(deep + "a.md5"); err != nil || !strings.HasSuffix(string(line), "  a\n") {
		t.Errorf("got %q, %v", line, err)
	}
}

func TestAddressable(t *testing.T) {
	store := drivertest.OpenFolder(t, t.TempDir(), blobstore.Config{})
	for _, key := range []string{"a", "a/b", "..a", "a\nb", "__0x41__", "a.attrs", "\u0085", `a\b`} {
		if _, err := store.Stat(t.Context(), drivertest.Object(key)); !errors.Is(err, pipeline.ErrNotFound) {
			t.Error(err)
		}
	}
	for _, key := range []string{"", ".", "..", "../a", "/a", "a/", "a//b", "a/../b", "./a", "a\x00b", "\xff", "dir\xff/a"} {
		_, err := store.Stat(t.Context(), drivertest.Object(key))
		if pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), fmt.Sprintf("%q", key)) {
			t.Errorf("%q: got %v, want a permanent error that names it", key, err)
		}
	}
}

func TestClosedFolder(t *testing.T) {
	bucket, err := folder.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store := blobstore.New(bucket, "inbox", blobstore.Config{})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	b := store.Bucket()
	o := drivertest.Object("a")
	_, openErr := b.Source.Open(t.Context(), o)
	_, _, lookupErr := b.Records.Lookup(t.Context(), o)
	_, removeErr := pipelinetest.Remove(t.Context(), b.Records, o)
	for name, err := range map[string]error{
		"Open": openErr, "Lookup": lookupErr, "Remove": removeErr, "Save": pipelinetest.Save(t.Context(), b.Records, drivertest.Record(o)),
		"CheckWritable": store.CheckWritable(), "CleanUp": store.CleanUp(t.Context()),
	} {
		if !errors.Is(err, fs.ErrClosed) || pipeline.Classify(err) != pipeline.ClassTransient {
			t.Errorf("%s: got %v, want a transient error", name, err)
		}
	}
	for o, err := range store.List(t.Context()) {
		if err == nil {
			t.Errorf("listed %v", o)
		}
	}
}
