package md5sum

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocloud.dev/blob/memblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
)

// md5OfX is the MD5 of "x".
const md5OfX = "9dd4e461268c8034f5c8564e155c67a6"

// TestURLsInLists: a list opens no bucket unless the user lets it, and then none with parameters that say who is asked.
func TestURLsInLists(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.MkdirAll("remote:", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "remote:/b"} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	local := (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir) + "/a"}).String()
	for name, test := range map[string]struct{ without, with string }{
		"a":                               {"OK", "OK"},
		local:                             {"OK", "OK"},
		"file://./a":                      {"OK", "OK"},
		"file://host/a":                   {"a path follows file://", "a path follows file://"},
		local + "?x=y":                    {"file:// takes no parameters", "file:// takes no parameters"},
		"remote:/b":                       {"OK", "OK"},
		"other://b/k":                     {"No such file", "No such file"},
		"remote://b/k":                    {"add --check-urls", "OK"},
		"REMOTE://b/k":                    {"add --check-urls", "OK"},
		"remote://":                       {"add --check-urls", "names a bucket and no object"},
		"remote://b/k?region=us-east-1":   {"add --check-urls", "OK"},
		"remote://b/k?region=a.example":   {"add --check-urls", "only to letters, digits and hyphens"},
		"remote://b/k?region=":            {"add --check-urls", "OK"},
		"remote://b/k?Region=a":           {"add --check-urls", "may not set the parameter Region"},
		"remote://b/k?endpoint=x":         {"add --check-urls", "may not set the parameter endpoint"},
		"remote://b/k?role_arn=x":         {"add --check-urls", "may not set the parameter role_arn"},
		"remote://b/k?x%1by=z":            {"add --check-urls", `may not set the parameter "x\x1by"`},
		"remote://user:secret@b/k":        {"add --check-urls", "may not name a user"},
		"remote://b:80/k":                 {"add --check-urls", "has no colon"},
		"remote://b/k?region=a;profile=b": {"add --check-urls", "malformed"},
		"remote://b/nosuch":               {"add --check-urls", "no such object"},
	} {
		for _, with := range []bool{false, true} {
			want := test.without
			if with {
				want = test.with
			}
			opened := 0
			open := func(ctx context.Context, u *url.URL, _ driver.Options) (driver.Bucket, error) {
				opened++
				if u.Host != "b" || u.User != nil {
					t.Errorf("%s opens %s", name, u)
				}
				b := memblob.OpenBucket(nil)
				return memory.New(b), b.WriteAll(ctx, "k", []byte("x"), nil)
			}
			var stdout, stderr bytes.Buffer
			o := Options{
				Algorithms: []string{"md5"}, Check: true, CheckURLs: with, Concurrency: 1, Memory: blobstore.NewMemory(0),
				Buckets: blobstore.Drivers{{Scheme: "file"}, {Scheme: "remote", Open: open}},
			}
			std := Streams{In: strings.NewReader(md5OfX + "  " + name + "\n"), Out: &stdout, Err: &stderr}
			err := errors.Join(o.Validate(nil), Run(t.Context(), std, &o, nil))
			if all := stdout.String() + stderr.String(); !strings.Contains(all, want) || (err == nil) != (want == "OK") || strings.Contains(stderr.String(), "secret") {
				t.Errorf("%s, --check-urls %t: error %v, %s, want %q", name, with, err, all, want)
			}
			if opened > 0 && !with {
				t.Errorf("%s opened a bucket", name)
			}
		}
	}
}

// TestShares: on Windows, the volume of a path can be another machine.
func TestShares(t *testing.T) {
	for volume, want := range map[string]bool{"": false, "C:": false, `\\host\share`: true, "//host/share": true, `\\.\pipe`: true, `\??`: true} {
		if isShare(volume) != want {
			t.Errorf("isShare(%q) is %t", volume, !want)
		}
	}
}

// TestBagInABucket: the user named the list by URL, and its names are in the same bucket; still they are read only with
// --check-urls. A list of md5sum names files, wherever it is itself.
func TestBagInABucket(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("f", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(ctx context.Context, _ *url.URL, _ driver.Options) (driver.Bucket, error) {
		b := memblob.OpenBucket(nil)
		return memory.New(b), errors.Join(b.WriteAll(ctx, "bag/manifest-md5.txt", []byte(md5OfX+"  data/f\n"), nil),
			b.WriteAll(ctx, "bag/data/f", []byte("x"), nil), b.WriteAll(ctx, "MD5SUMS", []byte(md5OfX+"  f\n"), nil))
	}
	for _, test := range []struct {
		list, says string
		urls       bool
	}{
		{"remote://b/bag/manifest-md5.txt", "data/f: is in the bucket of the list; add --check-urls", false},
		{"remote://b/bag/manifest-md5.txt", "data/f: OK\n", true},
		{"remote://b/MD5SUMS", "f: OK\n", false},
	} {
		var out bytes.Buffer
		o := Options{
			Algorithms: []string{"md5"}, Check: true, CheckURLs: test.urls, Concurrency: 1, Memory: blobstore.NewMemory(0),
			Buckets: blobstore.Drivers{{Scheme: "remote", Open: open}},
		}
		err := errors.Join(o.Validate([]string{test.list}), Run(t.Context(), Streams{Out: &out, Err: &out}, &o, []string{test.list}))
		if !strings.Contains(out.String(), test.says) || (err == nil) != strings.HasSuffix(test.says, "OK\n") {
			t.Errorf("%s, --check-urls %t: error %v, %s", test.list, test.urls, err, out.String())
		}
	}
}
