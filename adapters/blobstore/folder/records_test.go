package folder_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// notes returns the names of the notes in a folder.
func notes(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(filepath.Join(dir, filebucket.Hidden, "records"), func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

// tempFiles returns the names of the temporary files in a folder.
func tempFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, filebucket.Hidden, "tmp", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// crashed is a folder in which the process has died between two steps.
type crashed struct {
	*testing.T
	dir     string
	sidecar string
	store   *blobstore.Store
	records pipeline.Recorder
}

func (c *crashed) save(r pipeline.Record) {
	c.Helper()
	if err := pipelinetest.Save(c.Context(), c.records, r); err != nil {
		c.Fatal(err)
	}
}

func (c *crashed) recorded(want pipeline.Record) {
	c.Helper()
	got, _, err := c.records.Lookup(c.Context(), drivertest.Object("a"))
	if err != nil || !got.Covers(want.Source, []string{"md5"}) {
		c.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	c.holds(drivertest.LineOf(want))
}

func (c *crashed) unrecorded() {
	c.Helper()
	if got, _, err := c.records.Lookup(c.Context(), drivertest.Object("a")); !errors.Is(err, pipeline.ErrNotFound) {
		c.Errorf("got %+v, %v; want ErrNotFound", got, err)
	}
}

func (c *crashed) holds(want string) {
	c.Helper()
	if got, err := os.ReadFile(c.sidecar); err != nil || string(got) != want {
		c.Errorf("the record's file holds %q, %v; want %q", got, err, want)
	}
}

// detached asserts that the file is known to be of bucketsum, and that its version is not.
func (c *crashed) detached(two pipeline.Record) {
	c.Helper()
	c.unrecorded()
	c.save(two)
	c.recorded(two)
	for _, name := range notes(c.T, c.dir) {
		if err := os.Remove(name); err != nil {
			c.Fatal(err)
		}
	}
	before, err := os.Stat(c.sidecar)
	if err != nil {
		c.Fatal(err)
	}
	c.save(two)
	c.recorded(two)
	if after, err := os.Stat(c.sidecar); err != nil || !os.SameFile(before, after) {
		c.Errorf("the right file was written again: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(c.dir, filebucket.Hidden)); err != nil {
		c.Fatal(err)
	}
	if removed, err := pipelinetest.Remove(c.Context(), c.records, drivertest.Object("a")); !removed || err != nil {
		c.Errorf("Remove: got %v, %v", removed, err)
	}
}

// leftAlone asserts that the file is not taken for a record of bucketsum.
func (c *crashed) leftAlone(content string) {
	c.Helper()
	c.unrecorded()
	if err := pipelinetest.Save(c.Context(), c.records, drivertest.SumOf("a", "e9", "09")); pipeline.Classify(err) != pipeline.ClassPermanent {
		c.Errorf("Save: got %v, want a permanent error", err)
	}
	if removed, err := pipelinetest.Remove(c.Context(), c.records, drivertest.Object("a")); removed || err != nil {
		c.Errorf("Remove: got %v, %v", removed, err)
	}
	c.holds(content)
}

func TestCrash(t *testing.T) {
	one, two := drivertest.SumOf("a", "e1", "01"), drivertest.SumOf("a", "e2", "02")
	for name, test := range map[string]func(c *crashed){
		"first note without sidecar": func(c *crashed) {
			c.save(one)
			os.Remove(c.sidecar)
			c.unrecorded()
			c.save(one)
			c.recorded(one)
		},
		"first note without sidecar, object deleted": func(c *crashed) {
			c.save(one)
			os.Remove(c.sidecar)
			if removed, err := pipelinetest.Remove(c.Context(), c.records, drivertest.Object("a")); removed || err != nil {
				c.Errorf("Remove: got %v, %v", removed, err)
			}
			if left := notes(c.T, c.dir); len(left) != 0 {
				c.Errorf("left: %q", left)
			}
		},
		"first note without sidecar, then a user's file": func(c *crashed) {
			c.save(one)
			os.Remove(c.sidecar)
			drivertest.WriteFile(c.T, c.sidecar, "his own\n")
			c.leftAlone("his own\n")
		},
		"first note without sidecar, then a user's empty file": func(c *crashed) {
			c.save(one)
			os.Remove(c.sidecar)
			drivertest.WriteFile(c.T, c.sidecar, "")
			c.leftAlone("")
		},
		"second note, first sidecar": func(c *crashed) {
			c.save(one)
			c.save(two)
			drivertest.WriteFile(c.T, c.sidecar, drivertest.LineOf(one))
			c.unrecorded() // its version is unknown
			c.save(two)
			c.recorded(two)
		},
		"second note, first sidecar, older event": func(c *crashed) {
			c.save(one)
			c.save(two)
			drivertest.WriteFile(c.T, c.sidecar, drivertest.LineOf(one))
			c.save(one)
			c.recorded(one)
			c.save(two)
			c.recorded(two)
		},
		"second note, first sidecar, object deleted": func(c *crashed) {
			c.save(one)
			c.save(two)
			drivertest.WriteFile(c.T, c.sidecar, drivertest.LineOf(one))
			if removed, err := pipelinetest.Remove(c.Context(), c.records, drivertest.Object("a")); !removed || err != nil {
				c.Errorf("Remove: got %v, %v", removed, err)
			}
			if _, err := os.Lstat(c.sidecar); !errors.Is(err, fs.ErrNotExist) {
				c.Errorf("the record's file still exists: %v", err)
			}
		},
		"sidecar without note": func(c *crashed) {
			c.save(one)
			os.RemoveAll(filepath.Join(c.dir, filebucket.Hidden))
			c.detached(two)
		},
		"torn note": func(c *crashed) {
			c.save(one)
			for _, name := range notes(c.T, c.dir) {
				if err := os.Truncate(name, 20); err != nil {
					c.Fatal(err)
				}
			}
			c.detached(two)
		},
		"note of another key": func(c *crashed) {
			c.save(one)
			from := notes(c.T, c.dir)[0]
			other := drivertest.SumOf("b", "e1", "01")
			c.save(other)
			for _, to := range notes(c.T, c.dir) {
				if to != from {
					if err := os.Rename(to, from); err != nil {
						c.Fatal(err)
					}
				}
			}
			c.detached(two)
		},
		"temporary files": func(c *crashed) {
			c.save(one)
			for _, name := range []string{"X", "Y"} {
				drivertest.WriteFile(c.T, filepath.Join(c.dir, filebucket.Hidden, "tmp", name), "half")
			}
			c.save(two)
			c.recorded(two)
			for o := range c.store.List(c.Context()) {
				c.Errorf("listed: %s", o)
			}
			if err := c.store.CleanUp(c.Context()); err != nil {
				c.Error(err)
			}
			if left := tempFiles(c.T, c.dir); len(left) != 0 {
				c.Errorf("left: %q", left)
			}
			c.recorded(two)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := drivertest.OpenFolder(t, dir, blobstore.Config{})
			test(&crashed{t, dir, filepath.Join(dir, "a.md5"), store, store.Bucket().Records})
		})
	}
}

// A folder with notes of its own is another bucket. Its records would look like files of
// the user.
func TestNestedFolders(t *testing.T) {
	dir := t.TempDir()
	drivertest.WriteFile(t, filepath.Join(dir, "sub", "a"), "content")
	outer, inner := drivertest.OpenFolder(t, dir, blobstore.Config{}), drivertest.OpenFolder(t, filepath.Join(dir, "sub"), blobstore.Config{})
	if err := pipelinetest.Save(t.Context(), inner.Bucket().Records, drivertest.SumOf("a", "e1", "01")); err != nil {
		t.Fatal(err)
	}
	drivertest.WriteFile(t, filepath.Join(dir, "a"), "content")
	drivertest.WriteFile(t, filepath.Join(dir, "mounted", filebucket.Hidden, "tmp", "x"), "half a record")
	drivertest.WriteFile(t, filepath.Join(dir, "mounted", "a"), "content")
	var got []string
	for o, err := range outer.List(t.Context()) {
		if (o.Key == "sub/") != errors.Is(err, pipeline.ErrFiltered) {
			t.Errorf("%s: %v", o.Key, err)
		}
		got = append(got, o.Key)
	}
	if want := []string{"a", "mounted/a", "sub/"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for key, err := range outer.Recorded(t.Context()) {
		t.Errorf("recorded: %s, %v", key, err)
	}
	for _, key := range []string{".bucketsum", ".bucketsum/x", "sub/.bucketsum/records/x"} {
		if !outer.Bucket().Records.IsRecord(key) {
			t.Errorf("IsRecord(%q) is false", key)
		}
	}
	for _, key := range []string{".bucketsums", "x.bucketsum/y", ".bucketsum.txt"} {
		if outer.Bucket().Records.IsRecord(key) {
			t.Errorf("IsRecord(%q) is true", key)
		}
	}
}

func TestCheckWritable(t *testing.T) {
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	for range 2 {
		if err := store.CheckWritable(); err != nil {
			t.Error(err)
		}
	}
	if keys := drivertest.UserKeys(t, dir); len(keys)+len(tempFiles(t, dir)) != 0 {
		t.Errorf("left: %q", keys)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}

	dir = t.TempDir()
	drivertest.WriteFile(t, filepath.Join(dir, filebucket.Hidden), "his")
	err = drivertest.OpenFolder(t, dir, blobstore.Config{}).CheckWritable()
	if err == nil || !strings.Contains(err.Error(), "bucket inbox: cannot write records to "+dir) {
		t.Errorf("got %v", err)
	}

	dir = t.TempDir()
	if os.Geteuid() == 0 {
		t.Log("root writes everywhere")
		return
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	err = drivertest.OpenFolder(t, dir, blobstore.Config{}).CheckWritable()
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want a permission error", err)
	}
}

// TestRefused expects one sentence about a folder that this user may not write into, and about a file that it may not read.
func TestRefused(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads and writes everything")
	}
	dir := t.TempDir()
	drivertest.WriteFile(t, filepath.Join(dir, "sub", "a"), "a")
	drivertest.WriteFile(t, filepath.Join(dir, "closed"), "c")
	b := drivertest.OpenFolder(t, dir, blobstore.Config{Algorithms: []string{"md5", "sha256", "crc64nvme"}}).Bucket()
	if err := errors.Join(os.Chmod(filepath.Join(dir, "sub"), 0o555), os.Chmod(filepath.Join(dir, "closed"), 0)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "sub"), 0o777) })
	o, err := b.Source.Stat(t.Context(), pipeline.Object{Bucket: "inbox", Key: "sub/a"})
	if err != nil {
		t.Fatal(err)
	}
	_, seen, err := b.Records.Lookup(t.Context(), o)
	if !errors.Is(err, pipeline.ErrNotFound) {
		t.Fatal(err)
	}
	record := pipeline.Record{Source: o, Digests: map[string]string{
		"md5": "0cc175b9c0f1b6a831c399e269772661", "sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", "crc64nvme": "0123456789abcdef",
	}, ComputedAt: time.Now()}
	_, readErr := b.Source.Open(t.Context(), pipeline.Object{Bucket: "inbox", Key: "closed"})
	for want, err := range map[string]error{
		"write the records of inbox/sub/a: permission denied: this user may not write into sub/": b.Records.Save(t.Context(), record, seen),
		"open inbox/closed: permission denied: this user may not read it":                        readErr,
	} {
		if err == nil || err.Error() != want || !errors.Is(err, fs.ErrPermission) || pipeline.Classify(err) != pipeline.ClassTransient {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
