package s3_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// listed is what a test looks at of an item.
type listed struct {
	Key, ID            string
	Noncurrent, Record bool
}

// versionsOf returns what a source lists in a range, and the positions.
func versionsOf(t *testing.T, b drivertest.S3Bucket, s sweep.Source, r sweep.Range) (items []listed, positions []string) {
	t.Helper()
	last := r.After
	for i, err := range s.Items(t.Context(), r) {
		if err != nil {
			t.Fatalf("%+v: after %q: %v", r, last, err)
		}
		if i.At <= last || !r.Contains(i.At) {
			t.Fatalf("%+v: %q is listed after %q", r, i.At, last)
		}
		if o := i.Object; !i.Record && (o.Bucket != b.Name || o.ETag == "" || o.Size < 1 || i.Modified.IsZero()) {
			t.Errorf("%+v is not complete", i)
		}
		last = i.At
		items = append(items, listed{i.Object.Key, i.Object.VersionID, i.Noncurrent, i.Record})
		positions = append(positions, i.At)
	}
	return items, positions
}

// lists returns the source of all versions.
func lists(t *testing.T, s *blobstore.Store) sweep.Source {
	t.Helper()
	source, err := s.Lists(sweep.Options{Versions: true})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// manyVersions puts versions of odd keys, and returns what is to be listed of them.
func manyVersions(t *testing.T, b drivertest.S3Bucket) (want []listed) {
	t.Helper()
	add := func(key string, n int, current bool) {
		var of []listed
		for i := range n {
			o := b.Put(t, key, fmt.Sprintf("version %d of %s", i, key))
			of = append(of, listed{Key: key, ID: o.VersionID, Noncurrent: i < n-1 || !current})
		}
		if !current {
			b.Delete(t, key, "")
		}
		slices.Reverse(of)
		want = append(want, of...)
	}
	add("a", 1, true)
	add("a b+%41", 2, true)
	add("a-deleted", 3, false)
	add("many", 8, true)
	add("many-1", 1, true)
	add("ö/x", 2, true)
	add("ö/z", 1, false)
	return want
}

// Ranges divide the versions of a bucket, also where they divide those of one key: each version is in one range.
func TestVersions(t *testing.T) {
	for name, start := range map[string]func(testing.TB) awsenv.Server{"versitygw": awsenv.StartVersitygw, "moto, in pages of three": pagesOfThree} {
		t.Run(name, func(t *testing.T) {
			b := drivertest.MakeS3Bucket(t, start(t), true)
			want := manyVersions(t, b)
			source := lists(t, b.Open(t, blobstore.Config{}))
			items, positions := versionsOf(t, b, source, sweep.Range{})
			if diff := cmp.Diff(want, items); diff != "" {
				t.Fatalf("versions (-want +got):\n%s", diff)
			}
			bounds := slices.Clone(positions)
			if name == "versitygw" { // moto leaves out the first key after one that does not exist
				bounds = append(bounds, "a", "many", "many-", "b\uFFFC", "\x01", "ö/", "ö/y", "zzz")
				slices.Sort(bounds)
			}
			var parts []listed
			after := ""
			for _, at := range append(bounds, "") {
				part, _ := versionsOf(t, b, source, sweep.Range{After: after, Through: at})
				parts = append(parts, part...)
				after = at
			}
			if diff := cmp.Diff(want, parts); diff != "" {
				t.Errorf("versions of all ranges (-want +got):\n%s", diff)
			}
			for _, at := range bounds {
				first, _ := versionsOf(t, b, source, sweep.Range{Through: at})
				rest, _ := versionsOf(t, b, source, sweep.Range{After: at})
				if diff := cmp.Diff(want, append(first, rest...)); diff != "" {
					t.Errorf("versions up to and after %q (-want +got):\n%s", at, diff)
				}
			}
		})
	}
}

// pagesOfThree starts a server that lists three versions in an answer.
func pagesOfThree(t testing.TB) awsenv.Server {
	return awsenv.StartMoto(t).Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if q := r.URL.Query(); q.Has("versions") {
			q.Set("max-keys", "3")
			r.URL.RawQuery = q.Encode()
		}
		next.ServeHTTP(w, r)
	})
}

// A listing that continues in the middle of a key leaves no version out, whatever came or went meanwhile.
func TestVersionsMeanwhile(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), true)
	for i := range 6 {
		b.Put(t, "k", fmt.Sprint(i))
	}
	source := lists(t, b.Open(t, blobstore.Config{}))
	items, positions := versionsOf(t, b, source, sweep.Range{})
	ids := func(r sweep.Range) (ids []string) {
		got, _ := versionsOf(t, b, source, r)
		for _, i := range got {
			ids = append(ids, i.ID)
		}
		return ids
	}
	has := func(what string, r sweep.Range, want ...listed) {
		t.Helper()
		got := ids(r)
		for _, w := range want {
			if !slices.Contains(got, w.ID) {
				t.Errorf("%s: %q lacks %s", what, got, w.ID)
			}
		}
	}
	b.Put(t, "k", "newer")
	if got := ids(sweep.Range{After: positions[2]}); !slices.Equal(got, []string{items[3].ID, items[4].ID, items[5].ID}) {
		t.Errorf("after the third of six versions and with a newer one: %q of %+v", got, items)
	}
	has("the first, which is not the newest any more", sweep.Range{Through: positions[0]}, items[0])
	has("the third alone", sweep.Range{After: positions[1], Through: positions[2]}, items[2])
	b.Delete(t, "k", items[0].ID)
	has("one before it is gone", sweep.Range{After: positions[2]}, items[3:]...)
	b.Delete(t, "k", items[2].ID)
	has("the one before it is gone", sweep.Range{After: positions[2]}, items[3:]...)
	has("the one before it is gone, and it ends there", sweep.Range{After: positions[2], Through: positions[3]}, items[3])
	_, again := versionsOf(t, b, source, sweep.Range{After: positions[2]})
	has("it continues where a version was gone", sweep.Range{After: again[len(again)-2]}, items[5])
	b.Delete(t, "k", items[4].ID)
	has("the last one of the range is gone", sweep.Range{After: positions[2], Through: positions[4]}, items[3])
	has("the first one of the rest is gone", sweep.Range{After: positions[4]}, items[5])
}

// Records are of the current versions: their own older versions are neither records nor objects.
func TestVersionsOfRecords(t *testing.T) {
	for name, apart := range map[string]bool{"beside": false, "apart": true} {
		t.Run(name, func(t *testing.T) {
			server := awsenv.StartVersitygw(t)
			b := drivertest.MakeS3Bucket(t, server, true)
			config := blobstore.Config{}
			if apart {
				config.Records.Bucket = drivertest.MakeS3Bucket(t, server, true).Address()
			}
			store := b.Open(t, config)
			var want []listed
			for _, key := range []string{"a", "b"} {
				var of []listed
				for n := range 2 {
					o := b.Put(t, key, fmt.Sprint(key, n))
					of = append(of, listed{Key: key, ID: o.VersionID, Noncurrent: n == 0})
					records := store.Bucket().Records
					if _, seen, err := records.Lookup(t.Context(), o); n == 0 {
						drivertest.IsA(t, err, pipeline.ErrNotFound)
						if err := pipelinetest.Save(t.Context(), records, drivertest.Record(o)); err != nil {
							t.Fatal(err)
						}
					} else if err != nil {
						t.Fatal(err)
					} else if err := records.Save(t.Context(), drivertest.Record(o), seen); err != nil {
						t.Fatal(err)
					}
				}
				slices.Reverse(of)
				want = append(want, of...)
			}
			var objects []listed
			records := 0
			items, _ := versionsOf(t, b, lists(t, store), sweep.Range{})
			for _, i := range items {
				if i.Record {
					records++
				} else {
					objects = append(objects, i)
				}
			}
			if diff := cmp.Diff(want, objects); diff != "" || records != 2 {
				t.Errorf("%d records; versions (-want +got):\n%s", records, diff)
			}
		})
	}
}

// A bucket without versions lists its objects as current ones, and so does one from before it had them.
func TestVersionsOfUnversioned(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	b.Put(t, "a", "1")
	source := lists(t, b.Open(t, blobstore.Config{}))
	if items, _ := versionsOf(t, b, source, sweep.Range{}); len(items) != 1 || items[0].Noncurrent {
		t.Errorf("got %+v", items)
	}
	b.SetVersioning(t, types.BucketVersioningStatusEnabled)
	b.Put(t, "a", "2")
	items, _ := versionsOf(t, b, source, sweep.Range{})
	if len(items) != 2 || items[0].Noncurrent || !items[1].Noncurrent || items[1].ID != "null" {
		t.Fatalf("got %+v", items)
	}
	store := b.Open(t, blobstore.Config{})
	old := pipeline.Object{Bucket: b.Name, Key: "a", VersionID: "null", ETag: "c4ca4238a0b923820dcc509a6f75849b", Size: 1}
	if content, _, err := drivertest.ReadObject(t, store, old); err != nil || content != "1" {
		t.Errorf("the version null: %q, %v", content, err)
	}
	for _, current := range []string{"another", "a delete marker"} {
		if current == "a delete marker" {
			b.Delete(t, "a", "")
		}
		r, err := store.OpenAt(t.Context(), old, 1)
		if err != nil {
			t.Errorf("the version null at an offset, when %s is current: %v", current, err)
			continue
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A store that knows no listing of versions is told from an empty bucket.
func TestVersionsUnlisted(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, true)
	b.Put(t, "a", "1")
	b = b.Through(server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Has("versions") {
			fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>`)
			return
		}
		next.ServeHTTP(w, r)
	}))
	for i, err := range lists(t, b.Open(t, blobstore.Config{})).Items(t.Context(), sweep.Range{}) {
		if i.At != "" || err == nil || !strings.Contains(err.Error(), "no versions of them") {
			t.Fatalf("got %+v, %v", i, err)
		}
		return
	}
	t.Error("it is listed as empty")
}
