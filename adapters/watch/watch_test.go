package watch_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/watch"
)

// quick is a settle time for tests that only look at the final state.
const quick = 30 * time.Millisecond

// After any change of the files, the events finally agree with the files.
func TestWatch(t *testing.T) {
	t.Parallel()
	// Each folder begins with the files a, sub/b and sub/deep/c.
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
		"hard link": func(t *testing.T, dir, _ string) {
			must(t, os.Link(dir+"/a", dir+"/sub/a"))
			must(t, os.Chmod(dir+"/a", 0o600)) // the system reports the new link, not the change of the old one
		},
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
			write(t, dir+"/sub/.bucketsum/x", "hidden, too")
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
			r := start(t, watch.Config{Dir: dir, Settle: quick}, nil)
			r.inbox.untilState(t, dir)
			do(t, dir, outside)
			// The last change is announced last.
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

// Several goroutines at once make random changes.
func TestWatchRandom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, watch.Config{Dir: dir, Settle: quick}, nil)
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
			// Most of these fail, as the goroutines disturb each other.
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
	r := start(t, watch.Config{Settle: quick}, nil)
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
		if sequencers[s] || last[e.key()] > s {
			t.Fatalf("sequencer %s of %s is not new or older than %s", s, e, last[e.key()])
		}
		sequencers[s], last[e.key()] = true, s
	}
}
