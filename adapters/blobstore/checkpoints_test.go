package blobstore_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"
	gcs "google.golang.org/api/storage/v1"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// place is a store and a way to put objects into it.
type place struct {
	store *blobstore.Store
	put   func(key, content string) pipeline.Object
}

func places(t *testing.T) map[string]func(t *testing.T) place {
	return map[string]func(t *testing.T) place{
		"folder": func(t *testing.T) place {
			dir := t.TempDir()
			store := drivertest.OpenFolder(t, dir, blobstore.Config{})
			return place{store, func(key, content string) pipeline.Object {
				if err := os.WriteFile(filepath.Join(dir, key), []byte(content), 0o666); err != nil {
					t.Fatal(err)
				}
				return statOf(t, store, key)
			}}
		},
		"blob": func(t *testing.T) place {
			bucket := memblob.OpenBucket(nil)
			store := blobstore.New(memory.New(bucket), "inbox", blobstore.Config{})
			t.Cleanup(func() { store.Close() })
			return place{store, func(key, content string) pipeline.Object {
				if err := bucket.WriteAll(t.Context(), key, []byte(content), nil); err != nil {
					t.Fatal(err)
				}
				return statOf(t, store, key)
			}}
		},
		"S3": func(t *testing.T) place {
			b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
			return place{b.Open(t, blobstore.Config{}), func(key, content string) pipeline.Object { return b.Put(t, key, content) }}
		},
		"S3 with versions": func(t *testing.T) place {
			b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), true)
			return place{b.Open(t, blobstore.Config{}), func(key, content string) pipeline.Object { return b.Put(t, key, content) }}
		},
		"S3 with records elsewhere": func(t *testing.T) place {
			server := awsenv.StartVersitygw(t)
			b, records := drivertest.MakeS3Bucket(t, server, false), drivertest.MakeS3Bucket(t, server, false)
			return place{b.Open(t, blobstore.Config{Records: blobstore.RecordOptions{Bucket: records.Address()}}),
				func(key, content string) pipeline.Object { return b.Put(t, key, content) }}
		},
		"GCS": func(t *testing.T) place {
			b := drivertest.MakeGCSBucket(t, awsenv.StartFakeGCS(t), false)
			return place{b.Open(t, blobstore.Config{}), func(key, content string) pipeline.Object {
				return b.Put(t, &gcs.Object{Name: key}, content)
			}}
		},
		"Azure": func(t *testing.T) place {
			b := drivertest.MakeContainer(t, awsenv.StartAzurite(t))
			return place{b.Open(t, blobstore.Config{}), func(key, content string) pipeline.Object {
				return b.Put(t, key, content, nil)
			}}
		},
		"S3 with tags": func(t *testing.T) place {
			b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
			return place{b.Open(t, blobstore.Config{Records: blobstore.RecordOptions{To: []string{blobstore.ToTags}}}),
				func(key, content string) pipeline.Object { return b.Put(t, key, content) }}
		},
	}
}

func statOf(t *testing.T, store *blobstore.Store, key string) pipeline.Object {
	t.Helper()
	o, err := store.Stat(t.Context(), pipeline.Object{Bucket: "inbox", Key: key, Size: pipeline.UnknownSize})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestCheckpoints(t *testing.T) {
	for name, make := range places(t) {
		t.Run(name, func(t *testing.T) {
			p := make(t)
			o := p.put("a", "content")
			b := p.store.Bucket()
			c := b.Checkpoints
			if _, err := c.Load(t.Context(), o); !errors.Is(err, pipeline.ErrNotFound) {
				t.Errorf("got %v", err)
			}
			if err := c.Delete(t.Context(), o); err != nil {
				t.Errorf("delete nothing: %v", err)
			}
			other := o
			other.Key = strings.Repeat("long/", 100) + "b"
			sibling := o
			sibling.Bucket = "another"
			for _, state := range []string{"first", "second\x00\n\xff", strings.Repeat("x", 10_000)} {
				for _, of := range []pipeline.Object{o, other, sibling} {
					if err := c.Save(t.Context(), of, []byte(state+of.String())); err != nil {
						t.Fatal(err)
					}
				}
				for _, of := range []pipeline.Object{o, other, sibling} {
					if got, err := c.Load(t.Context(), of); err != nil || string(got) != state+of.String() {
						t.Errorf("got %.40q, %v", got, err)
					}
				}
			}
			if err := c.Save(t.Context(), o, bytes.Repeat([]byte("x"), 1<<20)); pipeline.Classify(err) != pipeline.ClassPermanent {
				t.Errorf("a megabyte: %v", err)
			}
			for listed, err := range p.store.List(t.Context()) {
				if err != nil || listed.Key != "a" {
					t.Errorf("listed is %q, %v", listed.Key, err)
				}
			}
			if !b.Records.IsRecord(".bucketsum/checkpoints/0123") || b.Records.IsRecord("a") {
				t.Error("a checkpoint would become work, or an object would not")
			}
			for _, of := range []pipeline.Object{o, other, sibling} {
				if err := c.Delete(t.Context(), of); err != nil {
					t.Error(err)
				}
				if _, err := c.Load(t.Context(), of); !errors.Is(err, pipeline.ErrNotFound) {
					t.Errorf("it is still there: %v", err)
				}
			}
		})
	}
}

func TestOpenAt(t *testing.T) {
	content := strings.Repeat("0123456789", 10_000)
	for name, make := range places(t) {
		t.Run(name, func(t *testing.T) {
			p := make(t)
			o := p.put("a", content)
			whole, err := p.store.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			opened, claims := whole.Object(), len(whole.Claims(t.Context()))
			if err := whole.Close(); err != nil {
				t.Error(err)
			}
			for _, offset := range []int{0, 1, 55_555, len(content) - 1, len(content)} {
				r, err := p.store.OpenAt(t.Context(), o, int64(offset))
				if err != nil {
					t.Errorf("at %d: %v", offset, err)
					continue
				}
				if r.Object() != opened || len(r.Claims(t.Context())) != claims {
					t.Errorf("at %d it is %+v with %d claims, not %+v with %d", offset, r.Object(), len(r.Claims(t.Context())), opened, claims)
				}
				got, err := io.ReadAll(r)
				if err := errors.Join(err, r.Close()); err != nil || string(got) != content[offset:] {
					t.Errorf("at %d: got %d bytes, %v", offset, len(got), err)
				}
			}
			now := p.put("a", content+"!")
			r, err := p.store.OpenAt(t.Context(), o, 5)
			switch {
			case o.VersionID != "" && err == nil:
				if got, err := io.ReadAll(r); err != nil || string(got) != content[5:] || r.Object() != opened {
					t.Errorf("the version has %d bytes, %v", len(got), err)
				}
				r.Close()
			case !errors.Is(err, pipeline.ErrChanged):
				t.Errorf("it was overwritten: %v", err)
			}
			gone := now
			gone.Key, gone.VersionID, gone.ETag = "b", "", ""
			if _, err := p.store.OpenAt(t.Context(), gone, 5); !errors.Is(err, pipeline.ErrNotFound) {
				t.Errorf("there is no b: %v", err)
			}
			now.VersionID, now.ETag = "", ""
			if _, err := p.store.OpenAt(t.Context(), now, int64(len(content)+2)); err == nil && name != "folder" {
				t.Error("it begins after the end")
			}
		})
	}
}

// TestOpenAtReplaced replaces a file while the rest of it is read.
func TestOpenAtReplaced(t *testing.T) {
	p := places(t)["folder"](t)
	o := p.put("a", "0123456789")
	r, err := p.store.OpenAt(t.Context(), o, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p.put("a", "01234") // in place
	if got, err := io.ReadAll(r); !errors.Is(err, pipeline.ErrChanged) {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestSweepCheckpoints: checkpoints that no worker writes any more are deleted by their age, and
// nothing else is.
func TestSweepCheckpoints(t *testing.T) {
	for name, open := range places(t) {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			sweep := func(before time.Time, most, want int) {
				t.Helper()
				if got, err := p.store.SweepCheckpoints(t.Context(), before, most); err != nil || got != want {
					t.Errorf("%d were deleted, %v; want %d", got, err, want)
				}
			}
			later := time.Now().Add(time.Hour)
			sweep(later, 10, 0) // there are none yet
			checkpoints := p.store.Bucket().Checkpoints
			var objects []pipeline.Object
			for _, key := range []string{"a", "b", "c"} {
				o := p.put(key, "content of "+key)
				objects = append(objects, o)
				if err := checkpoints.Save(t.Context(), o, []byte("state")); err != nil {
					t.Fatal(err)
				}
			}
			sweep(time.Now().Add(-time.Hour), 10, 0)
			sweep(later, 2, 2)
			sweep(later, 10, 1)
			for _, o := range objects {
				if _, err := checkpoints.Load(t.Context(), o); !errors.Is(err, pipeline.ErrNotFound) {
					t.Errorf("the checkpoint of %s: %v", o, err)
				}
				if got := statOf(t, p.store, o.Key); got.ETag != o.ETag {
					t.Errorf("%s is %v now", o, got)
				}
			}
		})
	}
}
