package watch_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/watch"
)

func TestFolderLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(dir string) error{
		"deleted": os.RemoveAll,
		"moved":   func(dir string) error { return os.Rename(dir, dir+"2") },
		"moved with its parent": func(dir string) error {
			above := filepath.Dir(dir)
			return errors.Join(os.Rename(above, above+"2"), os.WriteFile(above+"2/inbox/new", nil, 0o666))
		},
		"replaced": func(dir string) error { return errors.Join(os.Rename(dir, dir+"2"), os.Mkdir(dir, 0o777)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "above", "inbox")
			write(t, dir+"/a", "a")
			r := start(t, watch.Config{Dir: dir}, nil)
			r.inbox.untilState(t, dir)
			must(t, lose(dir))
			err := r.wait()
			if _, gone := errors.AsType[*watch.GoneError](err); !gone || !strings.Contains(err.Error(), dir) {
				t.Errorf("Run returned %v", err)
			}
			if got := r.inbox.lines(); len(got) != 1 {
				t.Errorf("got %q, want only the creation: the files of a folder that is gone are not deleted", got)
			}
		})
	}
}

func TestUnaddressable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/at the start\xff", "x")
	reports, gone := make(chan string, 100), make(chan string, 100)
	r := start(t, watch.Config{Dir: dir, Settle: quick, Unaddressable: func(key string, err error) {
		if err == nil {
			gone <- key
		} else {
			reports <- key
		}
	}}, nil)
	bad := r.path("\xc3\x28")
	write(t, bad, "x")
	write(t, bad, "rewritten")
	write(t, r.path("folder\xff/good"), "x")
	write(t, r.path("folder\xff/record.md5"), "x")
	write(t, r.path("good"), "x")
	r.inbox.until(t, "good", func() bool { return slices.Contains(r.inbox.lines(), "created good") })
	must(t, os.Remove(bad), os.RemoveAll(r.path("folder\xff")))
	write(t, r.path("good"), "changed")
	r.inbox.until(t, "good", func() bool { return len(r.inbox.lines()) == 2 })
	write(t, bad, "new")

	// Deeper than a path can be; made folder by folder.
	root, err := os.OpenRoot(dir)
	must(t, err)
	long := strings.Repeat("d", 250)
	for range 17 {
		must(t, root.Mkdir(long, 0o777))
		next, err := root.OpenRoot(long)
		must(t, err, root.Close())
		root = next
	}
	defer root.Close()

	want := []string{"at the start\xff", "\xc3\x28", "folder\xff/good", "\xc3\x28"}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	var got []string
	for len(got) < len(want)+1 {
		select {
		case key := <-reports:
			got = append(got, key)
		case <-ctx.Done():
			t.Fatalf("got reports of %q only", got)
		}
	}
	deep := func(key string) bool { return strings.HasPrefix(key, long) }
	if i := slices.IndexFunc(got, deep); i < 0 {
		t.Errorf("the path that is too long is not among the reports %q", got)
	}
	if diff := cmp.Diff(want, slices.DeleteFunc(got, deep)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"folder\xff/good", "\xc3\x28"}, sorted([]string{<-gone, <-gone})); diff != "" {
		t.Error("gone:", diff)
	}
	if diff := cmp.Diff([]string{"created good", "created good"}, r.inbox.lines()); diff != "" {
		t.Error(diff)
	}
}

// A folder that cannot be read is reported, and again when it can be read or is
// gone.
func TestUnreadableFolder(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	write(t, dir+"/closed/a", "x")
	write(t, dir+"/listed/b", "x")
	write(t, dir+"/goes/c", "x")
	must(t, os.Chmod(dir+"/closed", 0), os.Chmod(dir+"/listed", 0o444), os.Chmod(dir+"/goes", 0))
	reports := make(chan string, 100)
	r := start(t, watch.Config{Dir: dir, Settle: quick, Rescan: 50 * time.Millisecond, Unreadable: func(key string, err error) {
		reports <- fmt.Sprint(key, " ", errors.Is(err, fs.ErrPermission))
	}}, nil)
	report := func() string {
		select {
		case got := <-reports:
			return got
		case <-time.After(deadline):
			t.Fatal("no report")
			return ""
		}
	}
	if got, want := sorted([]string{report(), report(), report()}), []string{"closed true", "goes true", "listed true"}; !slices.Equal(got, want) {
		t.Errorf("reported %q, want %q", got, want)
	}
	must(t, os.Chmod(dir+"/closed", 0o777))
	if got := report(); got != "closed false" {
		t.Errorf("after it became readable: reported %q", got)
	}
	r.inbox.until(t, "opened", func() bool { return slices.Contains(r.inbox.lines(), "created closed/a") })
	must(t, os.Chmod(dir+"/listed", 0o777))
	if got := report(); got != "listed false" {
		t.Errorf("after it became readable: reported %q", got)
	}
	r.inbox.until(t, "opened", func() bool { return slices.Contains(r.inbox.lines(), "created listed/b") })
	must(t, os.Rename(dir+"/goes", dir+"/went"))
	defer os.Chmod(dir+"/went", 0o777) // so that it can be removed
	if got, want := sorted([]string{report(), report()}), []string{"goes false", "went true"}; !slices.Equal(got, want) {
		t.Errorf("after the rename: reported %q, want %q", got, want)
	}
}

// A folder with its own .bucketsum/records is a bucket of its own. For the outer
// bucket its records would be files of the user.
func TestInnerBucket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a", "x")
	write(t, dir+"/sub/inner/b", "x")
	write(t, dir+"/sub/inner/deep/c", "x")
	write(t, dir+"/sub/inner/.bucketsum/records/00/11.json", "{}")
	write(t, dir+"/mounted/.bucketsum/tmp/x", "x") // no bucket: it has no records
	write(t, dir+"/mounted/d", "x")
	inner := make(chan string, 10)
	r := start(t, watch.Config{Dir: dir, Settle: quick, Inner: func(key string) { inner <- key }}, nil)
	r.inbox.until(t, "start", func() bool { return len(r.inbox.state()) >= 2 })
	write(t, dir+"/sub/inner/later", "x")
	write(t, dir+"/sub/inner/deep/later", "x")
	must(t, os.Chmod(dir+"/sub/inner", 0o700)) // causes another scan of it
	write(t, dir+"/sub/sentinel", "x")
	r.inbox.until(t, "sentinel", func() bool { return len(r.inbox.state()) >= 3 })
	if got, want := keys(r.inbox.state()), []string{"a", "mounted/d", "sub/sentinel"}; !slices.Equal(got, want) {
		t.Errorf("announced %q, want %q", got, want)
	}
	if len(inner) != 1 || <-inner != "sub/inner" {
		t.Errorf("the inner bucket was not reported exactly once")
	}
}

func TestConfig(t *testing.T) {
	_, err := watch.NewFolder(watch.Config{Settle: -1, Rescan: -1})
	for _, want := range []string{"no folder", "no bucket", "no publisher", "no topic", "settle", "rescan"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for _, dir := range []string{file, file + "2"} {
		c := watch.Config{Dir: dir, Bucket: "b", Publisher: newInbox(), Topic: "t"}
		if _, err := watch.NewFolder(c); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
