package blobstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocloud.dev/blob/memblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// A user who changes the layout and changes it back finds the records, and no record has become
// work.
func TestLayoutChanges(t *testing.T) {
	layouts := []string{blobstore.DefaultLayout, "checksums/{key}.{alg}", "{dir}/.sums/{base}.{alg}", "{alg}/{key}"}
	key := strings.Repeat("ü", 200) + "/a" // three times as long in S3's metadata
	r := drivertest.SumOf(key, "e1", "01")
	for name, open := range map[string]func(t *testing.T) func(c blobstore.Config) *blobstore.Store{
		"folder": func(t *testing.T) func(c blobstore.Config) *blobstore.Store {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "dir"), 0o777); err != nil {
				t.Fatal(err)
			}
			return func(c blobstore.Config) *blobstore.Store { return drivertest.OpenFolder(t, dir, c) }
		},
		"memory": func(t *testing.T) func(c blobstore.Config) *blobstore.Store {
			bucket := memblob.OpenBucket(nil)
			t.Cleanup(func() { bucket.Close() })
			return func(c blobstore.Config) *blobstore.Store { return blobstore.New(memory.New(bucket), "inbox", c) }
		},
		"S3": func(t *testing.T) func(c blobstore.Config) *blobstore.Store {
			b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
			return func(c blobstore.Config) *blobstore.Store { return b.Open(t, c) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "folder" {
				r.Source.Key = "dir/" + strings.Repeat("ü", 110)
			} else {
				r.Source.Key = "dir/a"
			}
			reopen := open(t)
			var records []string
			for _, template := range layouts {
				layout := drivertest.MustLayout(t, template)
				if err := pipelinetest.Save(t.Context(), reopen(blobstore.Config{Layout: layout}).Bucket().Records, r); err != nil {
					t.Fatal(err)
				}
				records = append(records, layout.RecordKey(r.Source.Key, "md5"))
			}
			for _, template := range layouts {
				layout := drivertest.MustLayout(t, template)
				store := reopen(blobstore.Config{Layout: layout})
				b := store.Bucket()
				for _, record := range records {
					o := drivertest.Object(record)
					_, openErr := b.Source.Open(t.Context(), o)
					_, statErr := b.Source.Stat(t.Context(), o)
					for what, err := range map[string]error{"Open": openErr, "Stat": statErr} {
						if !errors.Is(err, pipeline.ErrOwnRecord) || pipeline.Classify(err) != pipeline.ClassSuperseded {
							t.Errorf("%s: %s(%q): got %v, want ErrOwnRecord", template, what, record, err)
						}
					}
					// To another layout it may look like the record of something else.
					if of, _, ok := layout.ObjectKey(record); ok && of != r.Source.Key {
						if removed, err := pipelinetest.Remove(t.Context(), b.Records, drivertest.Object(of)); removed || err != nil {
							t.Errorf("%s: Remove(%q): %v, %v", template, of, removed, err)
						}
					}
				}
				if name != "S3" { // whose listing tells no metadata
					for o, err := range store.List(t.Context()) {
						t.Errorf("%s: listed %q, %v", template, o.Key, err)
					}
				}
				if got, _, err := b.Records.Lookup(t.Context(), r.Source); err != nil || !got.Covers(r.Source, []string{"md5"}) {
					t.Errorf("%s: Lookup: %+v, %v", template, got, err)
				}
				if removed, err := pipelinetest.Remove(t.Context(), b.Records, r.Source); !removed || err != nil {
					t.Errorf("%s: Remove: %v, %v", template, removed, err)
				}
				records = slices.DeleteFunc(records, func(k string) bool { return k == layout.RecordKey(r.Source.Key, "md5") })
			}
		})
	}
}

// A copy of a record is an object like any other, where no layout has a record.
func TestCopyOfRecord(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	store := blobstore.New(memory.New(bucket), "inbox", blobstore.Config{})
	defer store.Close()
	if err := pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.SumOf("a", "e1", "01")); err != nil {
		t.Fatal(err)
	}
	if err := bucket.Copy(t.Context(), "note.txt", "a.md5", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := drivertest.Read(t, store, "note.txt"); err != nil {
		t.Error(err)
	}
}

// A user's file with the name of an algorithm in it is an object like any other.
func TestNameLikeARecord(t *testing.T) {
	dir := t.TempDir()
	store := drivertest.OpenFolder(t, dir, blobstore.Config{})
	r := drivertest.SumOf("a", "e1", "01")
	if err := pipelinetest.Save(t.Context(), store.Bucket().Records, r); err != nil {
		t.Fatal(err)
	}
	for key, content := range map[string]string{"md5/a": "his own\n", "checksums/a.md5": drivertest.LineOf(r)} {
		drivertest.WriteFile(t, filepath.Join(dir, key), content)
		if got, err := drivertest.Read(t, drivertest.OpenFolder(t, dir, blobstore.Config{Layout: drivertest.MustLayout(t, "x/{key}.{alg}")}), key); err != nil || got != content {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a.md5"), []byte("his own\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := drivertest.Read(t, store, "a.md5"); err != nil || got != "his own\n" {
		t.Errorf("what replaced a record: %q, %v", got, err)
	}
}
