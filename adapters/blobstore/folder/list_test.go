package folder_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// listed returns the keys that a store lists, and the content of each object, or its
// class of error in brackets.
func listed(t *testing.T, store *blobstore.Store) (keys []string, contents map[string]string) {
	t.Helper()
	contents = make(map[string]string)
	for o, err := range store.List(t.Context()) {
		keys = append(keys, o.Key)
		if err != nil {
			contents[o.Key] = "<" + string(pipeline.Classify(err)) + ">"
			continue
		}
		if now, err := store.Stat(t.Context(), drivertest.Object(o.Key)); err != nil || now != o {
			t.Errorf("listed %+v, Stat: %+v, %v", o, now, err)
		}
		content, err := drivertest.Read(t, store, o.Key)
		if err != nil {
			t.Error(err)
		}
		contents[o.Key] = content
	}
	return keys, contents
}

func TestListFolder(t *testing.T) {
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	for _, key := range []string{
		"b", "a-b", "a/x", "a/x.md5", "a/new\nline", "a/y.attrs", "a/b/__0x41__", "a0", "Z", "b.sha256",
		".bucketsum/records/x", "a/.bucketsum/tmp/y", ".hidden", "empty/.keep", "not-\xff-utf8", "dir\xff/x",
	} {
		drivertest.WriteFile(t, filepath.Join(dir, key), key)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"link": "a/x", "linked-dir": "a", "out": os.DevNull, "dangling": "nothing"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	keys, contents := listed(t, store)
	if diff := cmp.Diff([]string{
		".hidden", "Z", "a-b", "a/b/__0x41__", "a/new\nline", "a/x", "a/y.attrs", "a0", "b", "dangling",
		"dir\xff/x", "empty/.keep", "link", "not-\xff-utf8", "out", "pipe",
	}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	want := map[string]string{
		"link": "a/x", "dangling": "<transient>", "dir\xff/x": "<permanent>", "not-\xff-utf8": "<permanent>",
		"out": "<permanent>", "pipe": "<superseded>",
	}
	for _, key := range keys {
		if want[key] == "" {
			want[key] = key
		}
	}
	if diff := cmp.Diff(want, contents); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
	for range store.List(t.Context()) {
		break // the iterator must stop, else it panics
	}
	for _, key := range []string{"a/", "dir\xff/", "pipe"} {
		for o := range store.List(t.Context()) {
			if strings.HasPrefix(o.Key, key) {
				break
			}
		}
	}
}

// A folder that vanishes or cannot be read is reported, and the rest is listed.
func TestListFolderErrors(t *testing.T) {
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	for _, key := range []string{"a/x", "b/x", "c/x"} {
		drivertest.WriteFile(t, filepath.Join(dir, key), key)
	}
	var keys []string
	for o, err := range store.List(t.Context()) {
		if err != nil {
			t.Error(err)
		}
		if keys = append(keys, o.Key); o.Key == "a/x" {
			if err := os.RemoveAll(filepath.Join(dir, "b")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff([]string{"a/x", "c/x"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if os.Geteuid() == 0 {
		t.Log("root reads everything")
		return
	}
	if err := os.Chmod(filepath.Join(dir, "a"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, "a"), 0o777)
	_, contents := listed(t, store)
	if diff := cmp.Diff(map[string]string{"a/": "<transient>", "c/x": "c/x"}, contents); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
}

func TestListManyFiles(t *testing.T) {
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	const n = 3000
	for i := range n {
		drivertest.WriteFile(t, filepath.Join(dir, fmt.Sprintf("%d/%04d", i%2, i)), "")
	}
	last, count := "", 0
	for o, err := range store.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Key <= last {
			t.Fatalf("%s comes after %s", o.Key, last)
		}
		last = o.Key
		count++
	}
	if count != n {
		t.Errorf("listed %d objects, want %d", count, n)
	}
}

func TestRecorded(t *testing.T) {
	dir := t.TempDir()
	layout, err := blobstore.ParseLayout("{dir}/.sums/{base}.{alg}")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		layout blobstore.Layout
		files  []string // of the user
		saved  []string
		want   []string
	}{
		"beside": {files: []string{"a", "a.md5", "his.md5", "sub/x", ".bucketsum/x.md5", "b.md6"}, saved: []string{"gone", "sub/new\nline"},
			want: []string{"a", "gone", "sub/new\nline"}},
		"elsewhere": {layout: layout, files: []string{"a", ".sums/a.md5", "sub/.sums/his.sha256", "sub/x.md5"}, saved: []string{"sub/b"}, want: []string{"a", "sub/b"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(dir, name)
			for _, file := range tc.files {
				drivertest.WriteFile(t, filepath.Join(dir, file), file)
			}
			store := drivertest.OpenFolder(t, dir, blobstore.Config{Layout: tc.layout})
			for _, key := range tc.saved {
				if err := pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.SumOf(key, "e1", "01")); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for key, err := range store.Recorded(t.Context()) {
				if err != nil {
					t.Error(err)
				}
				got = append(got, key)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

// TestItemsWithoutKeys: files whose names cannot be keys have short positions, however many there are: a listing can be continued after each of them, and a pass that is cut anywhere has one row for each file.
func TestItemsWithoutKeys(t *testing.T) {
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	files := 0
	for _, names := range []string{"a", "b\xff%03d", "b\xfe%03d", "c", "dir\xff/%03d", "dir\xfe/x\xff%03d", "dir\xfe/%03d.md5", "e/\xff%03d.md5", "e/x", "z\xff%03d"} {
		for n := range 100 {
			name := names
			if strings.Contains(names, "%") {
				name = fmt.Sprintf(names, n)
			} else if n > 0 {
				break
			}
			drivertest.WriteFile(t, filepath.Join(dir, name), "x")
			files++
		}
	}
	for n := range 100 { // the name is as a store has it that cannot tell the key
		if err := syscall.Mkfifo(filepath.Join(dir, fmt.Sprintf("p\uFFFD%03d", n)), 0o666); err != nil {
			t.Fatal(err)
		}
		files++
	}
	items := func(r sweep.Range) (keys, positions []string) {
		for i, err := range store.Items(t.Context(), r) {
			if i.At == "" {
				t.Fatal(err)
			}
			keys, positions = append(keys, fmt.Sprintf("%q", i.Object.Key)), append(positions, i.At)
		}
		return keys, positions
	}
	all, positions := items(sweep.Range{})
	if len(all) != files {
		t.Errorf("%d items of %d files", len(all), files)
	}
	for n, at := range positions {
		if n > 0 && at <= positions[n-1] || len(at) > 200 {
			t.Errorf("%s has the position %q after %q", all[n], at, positions[n-1])
		}
	}
	for n := 0; n < len(all); n += 7 {
		through := min(n+7, len(all)-1)
		got, _ := items(sweep.Range{After: positions[n], Through: positions[through]})
		if diff := cmp.Diff(all[n+1:through+1], got); diff != "" {
			t.Errorf("after %q through %q (-want +got):\n%s", positions[n], positions[through], diff)
		}
	}

	reports, err := drivertest.Drivers.OpenReports(t.Context(), "mem://", blobstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer reports.Close()
	rows := 0
	p := sweep.Pass{
		Command: sweep.Verify, Buckets: []string{"inbox"}, Reports: reports, Name: "audit", Cut: sweep.Cut{Items: 7},
		Rows: func(r []sweep.Row) error { rows += len(r); return nil },
		Open: func(context.Context, sweep.Plan, string) (sweep.Bucket, error) {
			return sweep.Bucket{Source: store, Keys: true, Examine: func(_ context.Context, i sweep.Item) (sweep.Row, error) {
				return sweep.Row{Key: i.Object.Key, State: sweep.OK}, nil
			}}, nil
		},
	}
	if s, err := p.Here(t.Context()); err != nil || !s.Complete || rows != files {
		t.Errorf("got %+v, %v and %d rows of %d files", s, err, rows, files)
	}
}
