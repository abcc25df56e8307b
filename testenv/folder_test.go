package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv"
)

// quick is a settle time for tests that only look at where it all ends.
const quick = 30 * time.Millisecond

// Whatever is done to the files, in the end the events tell what is there.
func TestWatch(t *testing.T) {
	t.Parallel()
	// Each folder begins with a, sub/b, sub/deep/c.
	tests := map[string]func(t *testing.T, dir, outside string){
		"nothing": func(*testing.T, string, string) {},
		"written": func(t *testing.T, dir, _ string) { write(t, dir+"/new", "x") },
		"empty":   func(t *testing.T, dir, _ string) { write(t, dir+"/new", "") },
		"moved in": func(t *testing.T, dir, outside string) {
			write(t, outside+"/new", "x")
			must(t, os.Rename(outside+"/new", dir+"/new"))
		},
		"moved out":        func(t *testing.T, dir, outside string) { must(t, os.Rename(dir+"/a", outside+"/a")) },
		"renamed":          func(t *testing.T, dir, _ string) { must(t, os.Rename(dir+"/a", dir+"/z")) },
		"moved elsewhere":  func(t *testing.T, dir, _ string) { must(t, os.Rename(dir+"/a", dir+"/sub/deep/z")) },
		"renamed over":     func(t *testing.T, dir, _ string) { must(t, os.Rename(dir+"/a", dir+"/sub/b")) },
		"rewritten":        func(t *testing.T, dir, _ string) { write(t, dir+"/sub/b", "other content") },
		"deleted":          func(t *testing.T, dir, _ string) { must(t, os.Remove(dir+"/sub/b")) },
		"deleted and back": func(t *testing.T, dir, _ string) { must(t, os.Remove(dir+"/a")); write(t, dir+"/a", "back") },
		"modification time": func(t *testing.T, dir, _ string) {
			must(t, os.Chtimes(dir+"/a", time.Time{}, time.Unix(1e9, 5)))
		},
		"before 1970": func(t *testing.T, dir, _ string) { must(t, os.Chtimes(dir+"/a", time.Time{}, time.Unix(-9, 5))) },
		"appended": func(t *testing.T, dir, _ string) {
			f, err := os.OpenFile(dir+"/a", os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			for range 100 {
				_, err := f.WriteString("more")
				must(t, err)
			}
			must(t, f.Close())
		},
		"deep folders": func(t *testing.T, dir, _ string) {
			write(t, dir+"/1/2/3/4/5/6/7/8/9/new", "x")
			write(t, dir+"/1/2/3/other", "x")
		},
		"many deep folders": func(t *testing.T, dir, _ string) {
			for i := range 50 {
				write(t, fmt.Sprintf("%s/%d/%d/%d/new", dir, i%5, i%10, i), "x")
			}
		},
		"folder moved in": func(t *testing.T, dir, outside string) {
			write(t, outside+"/f/x/y/new", "x")
			must(t, os.Rename(outside+"/f", dir+"/f"))
			write(t, dir+"/f/x/y/later", "x")
		},
		"folder moved out": func(t *testing.T, dir, outside string) {
			must(t, os.Rename(dir+"/sub", outside+"/sub"))
			write(t, outside+"/sub/deep/later", "x")
		},
		"folder renamed, then written to": func(t *testing.T, dir, _ string) {
			must(t, os.Rename(dir+"/sub", dir+"/bus"))
			write(t, dir+"/bus/deep/later", "x")
			must(t, os.Remove(dir+"/bus/deep/c"))
		},
		"folder renamed, another in its place": func(t *testing.T, dir, _ string) {
			must(t, os.Rename(dir+"/sub", dir+"/bus"))
			write(t, dir+"/sub/deep/other", "x")
			write(t, dir+"/bus/deep/later", "xy")
		},
		"folder moved into another": func(t *testing.T, dir, _ string) {
			write(t, dir+"/1/2/new", "x")
			must(t, os.Rename(dir+"/sub", dir+"/1/2/sub"))
			write(t, dir+"/1/2/sub/deep/later", "x")
		},
		"folder there and back": func(t *testing.T, dir, outside string) {
			must(t, os.Rename(dir+"/sub", outside+"/sub"))
			must(t, os.Rename(outside+"/sub", dir+"/sub"))
			write(t, dir+"/sub/deep/later", "x")
		},
		"folder deleted": func(t *testing.T, dir, _ string) { must(t, os.RemoveAll(dir+"/sub")) },
		"folder deleted and made again": func(t *testing.T, dir, _ string) {
			must(t, os.RemoveAll(dir+"/sub"))
			write(t, dir+"/sub/deep/d", "x")
		},
		"file becomes a folder": func(t *testing.T, dir, _ string) {
			must(t, os.Remove(dir+"/a"))
			write(t, dir+"/a/b", "x")
		},
		"folder becomes a file": func(t *testing.T, dir, _ string) {
			must(t, os.RemoveAll(dir+"/sub"))
			write(t, dir+"/sub", "x")
		},
		"temp and rename": func(t *testing.T, dir, _ string) {
			write(t, dir+"/sub/.b.Xy12Zq", "new content")
			must(t, os.Rename(dir+"/sub/.b.Xy12Zq", dir+"/sub/b"))
		},
		"hard link": func(t *testing.T, dir, _ string) { must(t, os.Link(dir+"/a", dir+"/sub/a")) },
		"odd names": func(t *testing.T, dir, _ string) {
			for _, name := range []string{
				"a b", ".hidden", "...", "..a", "line\nbreak", "\x01\x1f\x7f", `"quoted"`, `back\slash`, "__0x41__", "<&>", "a+b%20c",
				"\u2028", "\ufffd", "ü", "日本", "-", "*", "new.attrs", "~", strings.Repeat("n", 250),
			} {
				write(t, filepath.Join(dir, name), name)
				write(t, filepath.Join(dir, "in", "d"+name, name), name)
			}
		},
		"records and hidden files": func(t *testing.T, dir, _ string) {
			write(t, dir+"/a.md5", "record")
			write(t, dir+"/folder.md5/x", "no record")
			write(t, dir+"/.bucketsum/x/y", "hidden")
			write(t, dir+"/sub/.bucketsum/x", "not at the root")
		},
		"storm of renames": func(t *testing.T, dir, _ string) {
			from := dir + "/a"
			for i := range 500 {
				to := fmt.Sprintf("%s/sub/%d", dir, i%7)
				must(t, os.Rename(from, to))
				from = to
			}
		},
		"storm of renamed folders": func(t *testing.T, dir, _ string) {
			from := dir + "/sub"
			for i := range 200 {
				to := fmt.Sprintf("%s/f%d", dir, i%3)
				if to == from {
					continue
				}
				must(t, os.Rename(from, to))
				write(t, fmt.Sprintf("%s/deep/%d", to, i%10), "x")
				from = to
			}
		},
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, outside := t.TempDir(), t.TempDir()
			write(t, dir+"/a", "a")
			write(t, dir+"/sub/b", "b")
			write(t, dir+"/sub/deep/c", "c")
			r := start(t, testenv.Config{Dir: dir, Settle: quick}, nil)
			r.inbox.untilState(t, dir)
			do(t, dir, outside)
			// What comes last is announced last.
			write(t, dir+"/sentinel", "")
			r.inbox.until(t, "sentinel", func() bool { _, ok := r.inbox.state()["sentinel"]; return ok })
			r.inbox.untilState(t, dir)
			r.stop()
			if err := r.wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Many goroutines at once do at random whatever can be done.
func TestWatchRandom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, testenv.Config{Dir: dir, Settle: quick}, nil)
	var working sync.WaitGroup
	for seed := range uint64(3) {
		working.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 0))
			path := func() string {
				p := dir
				for range 1 + rnd.IntN(4) {
					p = filepath.Join(p, string(rune('a'+rnd.IntN(4))))
				}
				return p
			}
			// Most of these fail, as the others get in the way.
			for range 1000 {
				switch p := path(); rnd.IntN(8) {
				case 0, 1:
					os.MkdirAll(p, 0o777)
				case 2, 3, 4:
					os.WriteFile(p, make([]byte, rnd.IntN(1000)), 0o666)
				case 5, 6:
					os.Rename(p, path())
				case 7:
					os.RemoveAll(p)
				}
			}
		})
	}
	working.Wait()
	r.inbox.untilState(t, dir)
	write(t, dir+"/later", "x")
	r.inbox.untilState(t, dir)
}

func TestManyFiles(t *testing.T) {
	t.Parallel()
	r := start(t, testenv.Config{Settle: quick}, nil)
	for i := range 5000 {
		write(t, r.path(fmt.Sprintf("%d/%d", i%10, i)), "x")
	}
	r.inbox.untilState(t, r.dir)
	if n := len(r.inbox.state()); n != 5000 {
		t.Errorf("%d files were announced", n)
	}
	sequencers := make(map[string]bool)
	last := make(map[string]string)
	for _, e := range r.inbox.all() {
		s := e.Detail.Object.Sequencer
		if sequencers[s] || pipeline.CompareSequencers(last[e.key()], s) > 0 {
			t.Fatalf("sequencer %s of %s is not new or older than %s", s, e, last[e.key()])
		}
		sequencers[s], last[e.key()] = true, s
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/target", "x")
	must(t,
		os.Mkdir(dir+"/sub", 0o777),
		os.Symlink("../target", dir+"/sub/link"),
		os.Symlink("sub/link", dir+"/link2"),
		os.Symlink("later", dir+"/dangling"))
	r := start(t, testenv.Config{Dir: dir, Settle: quick}, nil)
	all := func(tag string, keys ...string) func() bool {
		return func() bool {
			state := r.inbox.state()
			return !slices.ContainsFunc(keys, func(k string) bool { return state[k] != tag })
		}
	}
	r.inbox.until(t, "at the start", all(etag(t, dir+"/target"), "target", "sub/link", "link2"))
	write(t, dir+"/target", "other")
	r.inbox.until(t, "rewritten", all(etag(t, dir+"/target"), "target", "sub/link", "link2"))
	write(t, dir+"/later", "later")
	r.inbox.until(t, "there at last", all(etag(t, dir+"/later"), "later", "dangling"))
	must(t, os.Remove(dir+"/target"))
	r.inbox.until(t, "deleted", all("", "target", "sub/link", "link2"))
	if got, want := keys(r.inbox.state()), []string{"dangling", "later"}; !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
}

// What was deleted while nobody watched is announced at the start, and what
// is there is not.
func TestStartRemembers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/there", "x")
	write(t, dir+"/file", "x")
	remembered := func(context.Context) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			_ = yield("there", nil) && yield("gone", nil) && yield("", errors.New("a folder cannot be read")) &&
				yield("no folder/gone", nil) && yield("file/is no folder", nil)
		}
	}
	r := start(t, testenv.Config{Dir: dir, Settle: quick, Remembered: remembered}, nil)
	want := []string{"created file", "created there", "deleted file/is no folder", "deleted gone", "deleted no folder/gone"}
	r.inbox.until(t, "start", func() bool { return len(r.inbox.all()) >= len(want) })
	if diff := cmp.Diff(want, sorted(r.inbox.lines())); diff != "" {
		t.Error(diff)
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"done", "done in a folder/x", "new", "old version", "unsure", "record.md5", ".bucketsum/x"} {
		write(t, filepath.Join(dir, name), name)
	}
	done := map[string]string{
		"done":               etag(t, dir+"/done"),
		"done in a folder/x": etag(t, dir+"/done in a folder/x"),
		"old version":        "1-1",
	}
	r := start(t, testenv.Config{Dir: dir, Settle: quick, Current: func(_ context.Context, o pipeline.Object) (bool, error) {
		if o.Bucket != "inbox" || o.Size != int64(len(o.Key)) && o.Key != "done in a folder/x" {
			t.Errorf("asked about %+v", o)
		}
		if o.Key == "unsure" {
			return false, errors.New("the store is down")
		}
		return done[o.Key] == o.ETag, nil
	}}, nil)
	want := []string{"created new", "created old version", "created unsure"}
	r.inbox.until(t, "start", func() bool { return len(r.inbox.all()) >= len(want) })
	if diff := cmp.Diff(want, sorted(r.inbox.lines())); diff != "" {
		t.Error(diff)
	}
	// A file that was current at the start is known all the same.
	must(t, os.RemoveAll(dir+"/done in a folder"))
	r.inbox.until(t, "deleted", func() bool { return slices.Contains(r.inbox.lines(), "deleted done in a folder/x") })
	write(t, dir+"/done", "other")
	r.inbox.until(t, "rewritten", func() bool { return r.inbox.state()["done"] == etag(t, dir+"/done") })
	r.inbox.mu.Lock()
	defer r.inbox.mu.Unlock()
	if len(r.inbox.topics) != 1 || !r.inbox.topics["mem://events"] {
		t.Errorf("published to %v", r.inbox.topics)
	}
}

func TestFolderLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(dir string) error{
		"deleted": os.RemoveAll,
		"moved":   func(dir string) error { return os.Rename(dir, dir+"2") },
		"moved with what it is in": func(dir string) error {
			above := filepath.Dir(dir)
			return errors.Join(os.Rename(above, above+"2"), os.WriteFile(above+"2/inbox/new", nil, 0o666))
		},
		"replaced": func(dir string) error { return errors.Join(os.Rename(dir, dir+"2"), os.Mkdir(dir, 0o777)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "above", "inbox")
			write(t, dir+"/a", "a")
			r := start(t, testenv.Config{Dir: dir}, nil)
			r.inbox.untilState(t, dir)
			must(t, lose(dir))
			err := r.wait()
			if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "while it was watched") {
				t.Errorf("Run returned %v", err)
			}
			if got := r.inbox.lines(); len(got) != 1 {
				t.Errorf("files of a folder that is gone count as deleted: %q", got)
			}
		})
	}
}

func TestUnaddressable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/at the start\xff", "x")
	reports := make(chan string, 100)
	r := start(t, testenv.Config{Dir: dir, Settle: quick, Unaddressable: func(key string, err error) {
		if err == nil {
			t.Errorf("no reason for %q", key)
		}
		reports <- key
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

	// Deeper than a path can tell; made folder by folder.
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
			t.Fatalf("only %q were reported", got)
		}
	}
	deep := func(key string) bool { return strings.HasPrefix(key, long) }
	if i := slices.IndexFunc(got, deep); i < 0 {
		t.Errorf("the path that is too long was not reported: %q", got)
	}
	if diff := cmp.Diff(want, slices.DeleteFunc(got, deep)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"created good", "created good"}, r.inbox.lines()); diff != "" {
		t.Error(diff)
	}
}

func TestUnreadableFolder(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	write(t, dir+"/closed/a", "x")
	must(t, os.Chmod(dir+"/closed", 0))
	r := start(t, testenv.Config{Dir: dir, Settle: quick, Rescan: time.Hour}, nil)
	must(t, os.Chmod(dir+"/closed", 0o777))
	r.inbox.until(t, "opened", func() bool { return slices.Contains(r.inbox.lines(), "created closed/a") })
}

func TestConfig(t *testing.T) {
	_, err := testenv.NewFolder(testenv.Config{Settle: -1, Rescan: -1})
	for _, want := range []string{"no folder", "no bucket", "no publisher", "no topic", "settle", "rescan"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for _, dir := range []string{file, file + "2"} {
		c := testenv.Config{Dir: dir, Bucket: "b", Publisher: newInbox(), Topic: "t"}
		if _, err := testenv.NewFolder(c); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
