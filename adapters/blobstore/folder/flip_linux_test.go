package folder_test

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/powercut"
)

var flips = flag.Int("flips", 200, "how often each operation runs while symbolic links come and go")

// TestFlippingLinks exchanges a file or a directory with a symbolic link to one outside of the folder,
// again and again, while the driver reads, writes, lists and deletes there. It must never read a byte that
// lies outside, nor change anything there.
func TestFlippingLinks(t *testing.T) {
	const secret, ours = "outside", "within!" // equally long
	for _, c := range []struct {
		name  string
		flip  string // what is exchanged
		to    string // target of the link, in the directory outside
		links string // before the target: links are absolute or relative
	}{
		{"directory", "sub", "", ""},
		{"directory, relative link", "sub", "", ".."},
		{"file", "sub/x", "x", ""},
		{"record", "sub/x.md5", "x.md5", ""},
		{"hidden folder", ".bucketsum", "", ""},
		{"notes", ".bucketsum/records", "", ""},
		{"temporary files", ".bucketsum/tmp", "", ""},
		{"checkpoints", ".bucketsum/checkpoints", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := powercut.MemoryDir(t)
			dir, outside := filepath.Join(top, "in"), filepath.Join(top, "out")
			for _, name := range []string{dir + "/sub", dir + "/.bucketsum/records", dir + "/.bucketsum/tmp", dir + "/.bucketsum/checkpoints",
				outside + "/records", outside + "/tmp", outside + "/checkpoints"} {
				if err := os.MkdirAll(name, 0o777); err != nil {
					t.Fatal(err)
				}
			}
			for name, content := range map[string]string{
				dir + "/sub/x": ours, dir + "/sub/x.md5": ours, dir + "/.bucketsum/checkpoints/p": ours,
				outside + "/x": secret, outside + "/x.md5": secret, outside + "/p": secret, outside + "/checkpoints/p": secret,
				outside + "/tmp/t": secret, outside + "/records/r": secret,
			} {
				if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			before, err := powercut.Read(outside)
			if err != nil {
				t.Fatal(err)
			}
			target := filepath.Join(outside, c.to)
			if c.links != "" {
				target = filepath.Join(c.links, "out", c.to)
			}
			if err := os.Symlink(target, dir+"/link"); err != nil {
				t.Fatal(err)
			}
			b, err := folder.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			flipped := flip(t, dir+"/link", filepath.Join(dir, c.flip))
			done := work(t, b, secret)
			flipped()
			after, err := powercut.Read(outside)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("outside of the folder (-before +after):\n%s", diff)
			}
			for _, name := range []string{"open", "get", "put"} {
				if done[name] == 0 {
					t.Errorf("%s has never succeeded: the test tried nothing", name)
				}
			}
			t.Logf("operations that succeeded: %v", done)
		})
	}
}

// flip exchanges two paths until the function that it returns is called.
func flip(t *testing.T, a, b string) (stop func()) {
	t.Helper()
	stopped := make(chan struct{})
	var flipping sync.WaitGroup
	flipping.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stopped:
				if n == 0 {
					t.Error("nothing was exchanged")
				}
				return
			default:
			}
			// The driver may have replaced or removed one of them.
			if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil && err != unix.ENOENT {
				t.Error(err)
				return
			}
		}
	})
	stop = sync.OnceFunc(func() { close(stopped); flipping.Wait() })
	t.Cleanup(stop)
	return stop
}

// work does everything that the driver can do, and counts what succeeded. Some of it fails, as the
// directories change all the time.
func work(t *testing.T, b driver.Bucket, secret string) map[string]int {
	t.Helper()
	ctx, done := t.Context(), make(map[string]int)
	note := func(name string, err error, data string) {
		if err == nil {
			done[name]++
		}
		if strings.Contains(data, secret) {
			t.Fatalf("%s has read what is outside: %q", name, data)
		}
	}
	records := driver.Records{Possible: func(string) bool { return true }, Source: func(string, map[string]string) string { return "sub/x" }}
	for range *flips {
		for _, offset := range []int64{0, 1} {
			content, err := b.Open(ctx, pipeline.Object{Key: "sub/x"}, offset)
			data := []byte(nil)
			if err == nil {
				data, err = io.ReadAll(content.Body)
				_ = content.Body.Close() // it was only read
			}
			note("open", err, string(data))
			if offset == 1 && string(data) == secret[1:] {
				t.Fatalf("open has read what is outside: %q", data)
			}
		}
		for _, key := range []string{"sub/x", "sub/x.md5", ".bucketsum/checkpoints/p"} {
			blob, err := b.Get(ctx, key, 100)
			if err == nil {
				note("get", nil, string(blob.Data))
			}
		}
		for entry, err := range b.List(ctx, driver.Listing{}) {
			note("list", err, entry.Key)
		}
		unlock, err := b.Lock(ctx, "sub/x.md5")
		if err == nil {
			blob := &driver.Blob{Data: []byte("record"), Metadata: map[string]string{"source-key": "sub/x"}}
			note("put", b.Put(ctx, "sub/x.md5", blob, driver.Condition{Any: true}), "")
			note("delete", b.Delete(ctx, "sub/x.md5", driver.Condition{Any: true}), "")
			note("put", b.Put(ctx, "sub/x.md5", blob, driver.Condition{}), "")
			unlock()
		}
		note("put", b.Put(ctx, ".bucketsum/checkpoints/p", &driver.Blob{Data: []byte("checkpoint")}, driver.Condition{Any: true}), "")
		note("clean", b.Traits().CleanUp(ctx, records), "")
	}
	return done
}
