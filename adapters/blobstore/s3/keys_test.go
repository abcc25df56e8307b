package s3_test

import (
	"crypto/md5"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// gocloud would rewrite these keys. versitygw cannot store some of them.
func TestRawKeys(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartMoto(t), false)
	store := b.Open(t, blobstore.Config{})
	records := store.Bucket().Records
	var want []string
	for _, key := range []string{
		"a/../b", "./x", "a//b", "/lead", "//", "slash/", "\x01\x1f", "tab\t", "__0x2f__", "__0x41__/__0x0a__", "__0x2f//x", "a__0x2f_//b",
		"a+b c", "%25", "ü\u2028", strings.Repeat("k", 1020), strings.Repeat("ü/", 339) + "123",
	} {
		o := b.Put(t, key, "content of "+key)
		drivertest.MustRead(t, store, o, "content of "+key)
		if now, err := store.Stat(t.Context(), o); err != nil || now != o {
			t.Errorf("Stat %q: %+v, %v", key, now, err)
		}
		r := drivertest.Record(o)
		if err := pipelinetest.Save(t.Context(), records, r); err != nil {
			t.Errorf("Save: %v", err)
		}
		if _, ok := b.Get(t, key+".md5"); !ok {
			t.Errorf("%q has no record beside it", key)
		}
		if got, _, err := records.Lookup(t.Context(), o); err != nil || got.Digests["md5"] != r.Digests["md5"] {
			t.Errorf("Lookup %q: %v, %v", key, got, err)
		}
		if key != "tab\t" {
			if removed, err := pipelinetest.Remove(t.Context(), records, o); err != nil || !removed {
				t.Errorf("Remove %q: %v, %v", key, removed, err)
			}
		}
		want = append(want, key)
	}
	b.Put(t, "folder/", "")
	slices.Sort(want)
	var got []string
	for o, err := range store.List(t.Context()) {
		if o.Key == "folder/" {
			drivertest.IsA(t, err, pipeline.ErrFiltered)
			continue
		}
		if err != nil {
			t.Errorf("List %q: %v", o.Key, err)
		}
		if now, err := store.Stat(t.Context(), o); err != nil || now != o {
			t.Errorf("listed %+v, Stat: %+v, %v", o, now, err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed\n%q, want\n%q", got, want)
	}

	// A key may be so long that there can be no record.
	long := b.Put(t, strings.Repeat("k", 1024), "content")
	drivertest.MustRead(t, store, long, "content")
	if err := pipelinetest.Save(t.Context(), records, drivertest.Record(long)); pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), "1028 bytes") {
		t.Errorf("got %v, want a permanent error that says how long its record's key would be", err)
	}
	if removed, err := pipelinetest.Remove(t.Context(), records, long); removed || err != nil {
		t.Errorf("Remove: %v, %v", removed, err)
	}
	long.Key += "k"
	if _, err := store.Open(t.Context(), long); pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Errorf("got %v, want a permanent error", err)
	}
}

func TestFoldersAndEmptyObjects(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	store := b.Open(t, blobstore.Config{})
	folder, empty := b.Put(t, "folder/", ""), b.Put(t, "empty", "")
	drivertest.MustRead(t, store, empty, "")
	for _, size := range []int64{0, pipeline.UnknownSize} {
		folder.Size = size
		_, err := store.Open(t.Context(), folder)
		drivertest.IsA(t, err, pipeline.ErrFiltered)
	}
	_, err := store.Stat(t.Context(), folder)
	drivertest.IsA(t, err, pipeline.ErrFiltered)
	_, err = store.Stat(t.Context(), pipeline.Object{Key: "gone/"})
	drivertest.IsA(t, err, pipeline.ErrNotFound)
}

// A listing of several pages takes one request for each page, and no others.
func TestListS3(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	var want []string
	for _, key := range drivertest.ManyKeys() {
		b.Put(t, key, key)
		want = append(want, key)
	}
	b.Put(t, want[0]+".md5", "a record, by its name")
	slices.Sort(want)
	var requests atomic.Int64
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		requests.Add(1)
		next.ServeHTTP(w, r)
	})
	store := b.Through(proxy).Open(t, blobstore.Config{})
	var got []string
	for o, err := range store.List(t.Context()) {
		if err != nil || o.Bucket != b.Name || o.Size != int64(len(o.Key)) || o.ETag != fmt.Sprintf("%x", md5.Sum([]byte(o.Key))) {
			t.Fatalf("listed %+v, %v", o, err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %d objects, want %d, in order", len(got), len(want))
	}
	if n := requests.Load(); n != int64(len(want)+1)/1000+1 {
		t.Errorf("it took %d requests", n)
	}
	for range store.List(t.Context()) {
		break // a listing may be left
	}
}

// A server, or a proxy before it, may resolve the dots in a path. No request must leave the
// bucket by that, whatever key an event names.
func TestKeysThatLeaveTheBucket(t *testing.T) {
	server := unreached.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		t.Errorf("the store was asked: %s %s", r.Method, r.RequestURI)
		drivertest.Answer(w, 404, "NoSuchKey")
	})
	store := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, blobstore.Config{})
	tagged := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, tagging("md5"))
	records := blobstore.RecordOptions{Bucket: drivertest.S3Bucket{Server: server, Name: "records"}.Address()}
	elsewhere := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, blobstore.Config{Records: records})
	for _, key := range []string{"../", "../up", "../other/secret", "a/../../other/secret", "./../x", "//../x", "a//../../x", strings.Repeat("../", 99) + "x"} {
		o := pipeline.Object{Bucket: "test", Key: key, ETag: "e", Size: 7}
		errs := make(map[string]error)
		_, errs["Open"] = store.Open(t.Context(), o)
		_, errs["Stat"] = store.Stat(t.Context(), o)
		for name, s := range map[string]*blobstore.Store{"sidecars": store, "tags": tagged, "another bucket": elsewhere} {
			r := s.Bucket().Records
			errs["Save in "+name] = pipelinetest.Save(t.Context(), r, drivertest.Record(o))
			// There is no record, so that the object decides.
			if _, _, err := r.Lookup(t.Context(), o); !errors.Is(err, pipeline.ErrNotFound) {
				t.Errorf("Lookup in %s of %q: got %v, want ErrNotFound", name, key, err)
			}
			if removed, err := pipelinetest.Remove(t.Context(), r, o); removed || err != nil {
				t.Errorf("Remove in %s of %q: got %v, %v", name, key, removed, err)
			}
		}
		for method, err := range errs {
			if pipeline.Classify(err) != pipeline.ClassPermanent {
				t.Errorf("%s of %q: got %v, want a permanent error", method, key, err)
			}
		}
	}
}

// A version id that no store can have cannot be requested, now or later.
func TestEventsThatCannotBeAskedFor(t *testing.T) {
	var requests atomic.Int64
	server := unreached.Before(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		requests.Add(1)
		drivertest.Answer(w, 404, "NoSuchKey")
	})
	store := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, blobstore.Config{})
	tagged := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, tagging("md5"))
	for _, garbage := range []string{"\x01", "a\nb", "a\x7f", "ü", "a\xff"} {
		for what, o := range map[string]pipeline.Object{
			"ETag":       {Bucket: "test", Key: "a", ETag: garbage, Size: 7},
			"version id": {Bucket: "test", Key: "a", ETag: "e", VersionID: garbage, Size: 7},
		} {
			if _, err := store.Open(t.Context(), o); pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), what) {
				t.Errorf("Open with %s %q: got %v, want a permanent error that says so", what, garbage, err)
			}
			if o.VersionID == "" {
				continue // tags are of a version, or of the current one
			}
			_, _, err := tagged.Bucket().Records.Lookup(t.Context(), o)
			for method, err := range map[string]error{"Lookup": err, "Save": pipelinetest.Save(t.Context(), tagged.Bucket().Records, drivertest.Record(o))} {
				if pipeline.Classify(err) != pipeline.ClassPermanent {
					t.Errorf("%s of version %q: got %v, want a permanent error", method, garbage, err)
				}
			}
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	// Of a version that has an id the ETag is not asked for.
	_, err := store.Open(t.Context(), pipeline.Object{Bucket: "test", Key: "a", ETag: "\x01", VersionID: "v1", Size: 7})
	drivertest.IsA(t, err, pipeline.ErrNotFound)
}
