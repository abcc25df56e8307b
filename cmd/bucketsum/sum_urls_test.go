package main

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/memblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	inmemory "github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/md5sum"
	"github.com/bucketsum/bucketsum/testenv/coreutils"
)

func TestSumURLs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	sumWrite(t, map[string]string{
		"bucket/a": "x", "bucket/b/c": "xx", "bucket/b/a?#%": "x", "bucket/b-": "x", "bucket/b/2/x": "x", "other/a": "", "https:/a": "x",
	})
	base := (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
	const md5OfXX = "9336ebf25087d91c818ee6e9ec29f8c1"
	for _, test := range []struct {
		name string
		args []string
		want coreutils.Result
	}{
		{"object", []string{base + "/bucket/a"}, coreutils.Result{Stdout: sumMD5OfX + "  " + base + "/bucket/a\n"}},
		{"encoded key", []string{base + "/bucket/b/a%3F%23%25"}, coreutils.Result{Stdout: sumMD5OfX + "  " + base + "/bucket/b/a%3F%23%25\n"}},
		{"relative", []string{"FILE://./bucket/b/c"}, coreutils.Result{Stdout: md5OfXX + "  FILE://./bucket/b/c\n"}},
		{"prefix", []string{base + "/bucket/"}, coreutils.Result{Stdout: sumMD5OfX + "  a\n" + sumMD5OfX + "  b-\n" +
			sumMD5OfX + "  b/2/x\n" + sumMD5OfX + "  b/a?#%\n" + md5OfXX + "  b/c\n"}},
		{"path that looks like a URL", []string{"./https://a"}, coreutils.Result{Stdout: sumMD5OfX + "  ./https://a\n"}},
		{"missing", []string{base + "/bucket/nosuch", base + "/nosuch/a", base + "/nosuch/", "bucket/a"}, coreutils.Result{
			Stdout: sumMD5OfX + "  bucket/a\n",
			Stderr: "bucketsum sum: " + base + "/bucket/nosuch: No such file or directory\n" +
				"bucketsum sum: " + base + "/nosuch/a: No such file or directory\n" +
				"bucketsum sum: " + filepath.ToSlash(dir) + "/nosuch/: No such file or directory\n",
			Status: exitFailed,
		}},
		{"folder without a slash", []string{base + "/bucket"}, coreutils.Result{
			Stderr: "bucketsum sum: " + base + "/bucket: Is a directory\n", Status: exitFailed,
		}},
		{"empty bucket", []string{"mem://nothing/"}, coreutils.Result{
			Stderr: "bucketsum sum: mem://nothing/: no objects are there\n", Status: exitFailed,
		}},
		{"object of an empty bucket", []string{"mem://nothing/a/b"}, coreutils.Result{
			Stderr: "bucketsum sum: mem://nothing/a/b: no such object\n", Status: exitFailed,
		}},
	} {
		if diff := cmp.Diff(test.want, sumRun(t, "", test.args...)); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}

	list := sumRun(t, "", base+"/bucket/a", base+"/bucket/b/c", "other/a").Stdout
	sumWrite(t, map[string]string{"bucket/list": list})
	for _, args := range [][]string{{"-c", "bucket/list"}, {"-c", base + "/bucket/list"}} {
		got := sumRun(t, "", args...)
		if want := base + "/bucket/a: OK\n" + base + "/bucket/b/c: OK\nother/a: OK\n"; got.Stdout != want || got.Status != exitOK {
			t.Errorf("%q: %+v", args, got)
		}
	}
	// In a list, a name with an unknown scheme is a path.
	got := sumRun(t, sumMD5OfX+"  https://a\n", "-c")
	if got.Stdout != "https://a: OK\n" || got.Status != exitOK {
		t.Errorf("path that looks like a URL in a checksum file: %+v", got)
	}
}

func TestSumFolderURL(t *testing.T) {
	names := sumOddFolder(t)
	sumWrite(t, map[string]string{"sub/a": "x", ".bucketsum/note": "x", "sub/.bucketsum/note": "x"})
	if err := os.Symlink("nowhere", "sub/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", "sub/loop"); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "secret")
	sumWrite(t, map[string]string{outside: "x"})
	inside, err := filepath.Abs("sub/a")
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"sub/out": outside, "sub/in": "../sub/a", "sub/in-absolute": inside} {
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	names = append(names, "sub/a", "sub/in", "sub/in-absolute")
	slices.Sort(names)
	list := sumRun(t, "", "file://./")
	want := sumRun(t, "", append([]string{"--"}, names...)...)
	if diff := cmp.Diff(want.Stdout, list.Stdout); diff != "" {
		t.Error(diff)
	}
	say := "bucketsum sum: sub/link: No such file or directory\nbucketsum sum: sub/loop: not a regular file\n" +
		"bucketsum sum: sub/out: the link leads out of the folder\n"
	if list.Stderr != say || list.Status != exitFailed {
		t.Errorf("status %d, stderr %s", list.Status, list.Stderr)
	}
}

// TestSumURLsOfHosts uses a scheme whose host is the bucket, like s3:// and most others.
func TestSumURLsOfHosts(t *testing.T) {
	hosts := sumHosts{"b": {
		"a": "x", "/a": "xx", "photos/1 a": "x", "photos/é\nü": "x", "photos-": "x",
	}}
	got := hosts.sum(t, "sumtest://b/photos/", "sumtest://b//a", "sumtest://b/photos/1%20a", "sumtest://b/a", "sumtest://other/a", "sumtest://b/photos")
	want := coreutils.Result{
		Stdout: sumMD5OfX + "  photos/1 a\n" + `\` + sumMD5OfX + `  photos/é\nü` + "\n" +
			"9336ebf25087d91c818ee6e9ec29f8c1  sumtest://b//a\n" +
			sumMD5OfX + "  sumtest://b/photos/1%20a\n" + sumMD5OfX + "  sumtest://b/a\n",
		Stderr: "bucketsum sum: sumtest://other/a: open bucket sumtest://other: no access\n" +
			"bucketsum sum: sumtest://b/photos: no such object\n",
		Status: exitFailed,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := hosts.sum(t, "sumtest://b/"); strings.Count(got.Stdout, "\n") != 5 || got.Status != exitOK {
		t.Errorf("whole bucket: %+v", got)
	}
}

// TestSumRecursiveURLs: with --recursive, a bucket needs no slash, and a key names an object or all objects under it.
func TestSumRecursiveURLs(t *testing.T) {
	t.Parallel()
	hosts := sumHosts{"b": {"photos/1": "x", "photos/2/3": "x", "photo": "x", "both": "x", "both/1": "x"}}
	got := hosts.sum(t, "-r", "sumtest://b", "sumtest://b/photos", "sumtest://b/photo", "sumtest://b/both", "sumtest://b/nosuch")
	var want coreutils.Result
	for _, name := range []string{"both", "both/1", "photo", "photos/1", "photos/2/3", "photos/1", "photos/2/3", "sumtest://b/photo", "both/1"} {
		want.Stdout += sumMD5OfX + "  " + name + "\n"
	}
	want.Stderr, want.Status = "bucketsum sum: sumtest://b/nosuch: no such object\n", exitFailed
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// sumHosts are buckets in memory: name → key → content.
type sumHosts map[string]map[string]string

func (h sumHosts) open(ctx context.Context, u *url.URL, _ driver.Options) (driver.Bucket, error) {
	content, ok := h[u.Host]
	if !ok || u.Path != "" {
		return nil, errors.New("no access")
	}
	b := memblob.OpenBucket(nil)
	for key, value := range content {
		if err := b.WriteAll(ctx, key, []byte(value), nil); err != nil {
			return nil, err
		}
	}
	return inmemory.New(b), nil
}

// sum runs the command with the buckets behind sumtest://. The first name may be -r.
func (h sumHosts) sum(t *testing.T, names ...string) coreutils.Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	o := md5sum.Options{
		Algorithms: []string{"md5"}, Concurrency: 1, Memory: blobstore.NewMemory(0),
		Buckets: append(bucketDrivers(s3.Options{}), driver.Driver{Scheme: "sumtest", Open: h.open}),
	}
	if names[0] == "-r" {
		o.Recursive, names = true, names[1:]
	}
	err := o.Validate(names)
	if err == nil {
		err = md5sum.Run(t.Context(), md5sum.Streams{Out: &stdout, Err: &stderr}, &o, names)
	}
	status := exitOK
	switch {
	case errors.Is(err, md5sum.ErrFailed):
		status = exitFailed
	case err != nil:
		t.Error(err)
	}
	return coreutils.Result{Stdout: stdout.String(), Stderr: stderr.String(), Status: status}
}
