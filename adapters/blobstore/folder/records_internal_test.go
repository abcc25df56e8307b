package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

func newFiles(t *testing.T) *bucket {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bucket{root: root}
}

func (f *bucket) userWrites(t *testing.T, name, content string) {
	t.Helper()
	if err := f.root.WriteFile(name, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// The user writes a file between the look at a record and its change.
func TestUserWritesBefore(t *testing.T) {
	fresh := &driver.Blob{Data: []byte("fresh\n"), Metadata: map[string]string{"written-by": "bucketsum"}}
	old := &driver.Blob{Data: []byte("old\n"), Metadata: fresh.Metadata}
	for name, change := range map[string]func(f *bucket) error{
		"create":  func(f *bucket) error { return f.Put(t.Context(), "a.md5", fresh, driver.Condition{}) },
		"replace": func(f *bucket) error { return f.Put(t.Context(), "a.md5", fresh, driver.Condition{Old: old}) },
		"remove":  func(f *bucket) error { return f.Delete(t.Context(), "a.md5", driver.Condition{Old: old}) },
	} {
		for _, usersOwn := range []string{"user's own\n", "", string(fresh.Data)} {
			f := newFiles(t)
			f.userWrites(t, "a.md5", usersOwn)
			if err := change(f); !errors.Is(err, pipeline.ErrChanged) {
				t.Errorf("%s: got %v, want ErrChanged", name, err)
			}
			if got, err := f.root.ReadFile("a.md5"); err != nil || string(got) != usersOwn {
				t.Errorf("%s: the user's file holds %q, %v; want %q", name, got, err, usersOwn)
			}
			if b, err := f.Get(t.Context(), "a.md5", noteLimit); err != nil || b.Metadata != nil {
				t.Errorf("%s: the user's file %q is taken for a record: %v", name, usersOwn, err)
			}
		}
	}
	f := newFiles(t)
	if err := f.Put(t.Context(), "a.md5", fresh, driver.Condition{Old: old}); !errors.Is(err, pipeline.ErrChanged) {
		t.Errorf("replace after the user removed the file: got %v, want ErrChanged", err)
	}
}

func TestUserWritesMeanwhile(t *testing.T) {
	f := newFiles(t)
	r := blobstore.New(f, "inbox", blobstore.Config{}).Bucket().Records
	for range 100 {
		record := pipeline.Record{
			Source:  pipeline.Object{Bucket: "inbox", Key: "a", ETag: "e"},
			Digests: map[string]string{"md5": strings.Repeat("0", 32)},
		}
		var (
			wg       sync.WaitGroup
			saved    error
			usersOwn bool
		)
		wg.Go(func() { saved = pipelinetest.Save(t.Context(), r, record) })
		wg.Go(func() {
			file, err := f.root.OpenFile("a.md5", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			if err != nil {
				return
			}
			usersOwn = true
			_, err = file.WriteString("user's own\n")
			if err := errors.Join(err, file.Close()); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		content, err := f.root.ReadFile("a.md5")
		switch {
		case err != nil:
			t.Fatal(err)
		case usersOwn && (string(content) != "user's own\n" || pipeline.Classify(saved) != pipeline.ClassPermanent && !errors.Is(saved, pipeline.ErrChanged)):
			t.Fatalf("the user's file holds %q, Save returned %v", content, saved)
		case !usersOwn && (string(content) != strings.Repeat("0", 32)+"  a\n" || saved != nil):
			t.Fatalf("the record is %q, Save returned %v", content, saved)
		}
		if err := f.root.Remove("a.md5"); err != nil {
			t.Fatal(err)
		}
	}
}

// Not every file system has hard links; a folder, which can have none, stands for such.
func TestCreateWithoutHardLinks(t *testing.T) {
	f := newFiles(t)
	if err := f.root.Mkdir("temp", 0o777); err != nil {
		t.Fatal(err)
	}
	f.userWrites(t, "his", "user's own")
	if err := f.place("temp", "his"); !errors.Is(err, pipeline.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
	if err := f.place("temp", filepath.Join("no", "such")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want an error about the missing folder", err)
	}
	if err := f.place("temp", "ours"); err != nil {
		t.Error(err)
	}
	if info, err := f.root.Lstat("ours"); err != nil || !info.IsDir() {
		t.Errorf("got %v, %v", info, err)
	}
}

// os.Root reports only by the text of the error that a path leads out of it.
func TestEscapes(t *testing.T) {
	f := newFiles(t)
	if err := f.root.Symlink("../x", "out"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"out", "../x"} {
		if _, err := f.root.Stat(name); !escapes(err) {
			t.Errorf("%s: %v is not recognised", name, err)
		}
	}
	if _, err := f.root.Stat("x"); escapes(err) || escapes(nil) {
		t.Errorf("%v is taken for a path that leads out", err)
	}
}

func FuzzNote(f *testing.F) {
	f.Add([]byte(`{"key":"dir/a.md5","line":"00000000000000000000000000000000  a\n","metadata":{"written-by":"bucketsum","source-key":"dir/a","source-etag":"e","source-size":"3","computed-at":"2025-03-14T15:09:26Z"}}`))
	f.Add([]byte(`{"key":"dir/a.md5","line":""}`))
	f.Add([]byte(`{"key":"dir/a.md5","line":"x","previous":"y","metadata":null}`))
	f.Add([]byte(`{"KEY":"dir/a.md5","line":{}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := parseNote(data)
		if (n.Line == "" || n.Key == "") && (n.Line != "" || n.Key != "" || n.Previous != "" || n.Metadata != nil) {
			t.Errorf("an invalid note: got %+v", n)
		}
	})
}
